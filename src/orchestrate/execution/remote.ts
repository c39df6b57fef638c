import { toFailure } from '../../errors.ts';
import { createMasker, secretTextsOf } from '../component-runs/secrets.ts';
import type { ComponentAnswer } from '../protocol/types.ts';
import { readLogicalTime } from '../schedules/tables.ts';
import type { TaskEnd } from '../types.ts';
import { errorEnd } from './children.ts';
import { isFinal } from './limit.ts';
import type { ExecutionRooms, Step } from './types.ts';

/**
 * Calls a component elsewhere with a run token: the full one for trusted hosts, else one that can only name itself. What it
 * echoes of the token and of the secrets in its parameters is masked (5.7).
 */
export async function callRemote(rooms: ExecutionRooms, step: Step, url: string): Promise<TaskEnd> {
  const { attempt, signal, position } = step;
  const isRestricted = rooms.outbound.trustOf(url) !== 'trusted';
  const token = await attempt.guarded((tx) =>
    rooms.tokens.mintRun(tx, step.tokenId, { runId: attempt.run.id, isRestricted }),
  );
  rooms.world.reach('orchestrate.token-minted');
  const logicalTime = await attempt.reading(() => readLogicalTime(rooms.store.db, attempt.run.id));
  const masker = createMasker([token, ...secretTextsOf(step.parameters, {})]);
  const conceal = <Value>(answered: Value): Value => masker.value(answered) as Value;
  let lastResponse: unknown;
  try {
    const called = await rooms.callComponent({
      url,
      body: step.parameters,
      headers: {
        'x-storageapi-token': token,
        'x-kbc-runid': attempt.run.path,
        'x-idempotency-key': `${attempt.run.number}-${position}`,
        'user-agent': `Penstock/${rooms.version}`,
        accept: 'application/json',
        ...(logicalTime !== undefined && { 'x-penstock-logical-time': logicalTime.toISOString() }),
      },
      signal,
      memo: attempt.task.memo,
      remember: attempt.remember,
      log: (level, message) => attempt.log(level, `Task ${position + 1}: ${masker.text(message)}`),
      conceal,
      answered: (body) => (lastResponse = conceal(body)),
    });
    const answer = conceal(called);
    return answer.status === 'success' ? answer : { ...answer, message: messageOf(answer) };
  } catch (thrown) {
    const failure = toFailure(thrown);
    if (signal.aborted && isFinal(failure)) {
      if (failure.kind === 'cancelled') return { status: 'terminated', response: lastResponse ?? {} };
      return { ...errorEnd(failure.message), response: { status: 'error', message: failure.message, lastResponse } };
    }
    // A request was on its way when an earlier attempt was lost: whether it was done, nobody knows.
    if (failure.kind === 'worker_lost' && !signal.aborted) return errorEnd(failure.message);
    throw failure;
  }
}

function messageOf({ status, response }: ComponentAnswer): string {
  const message = (response as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : `What the task called ended with ${status}`;
}
