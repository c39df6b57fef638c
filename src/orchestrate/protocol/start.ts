import { Failure } from '../../errors.ts';
import { errorAnswer, readAccepted, readEnd } from './answers.ts';
import { ask, type Calling } from './context.ts';
import { fitsMemo, type ForeignJob, type Memo } from './memo.ts';
import type { ComponentAnswer, ComponentRequest } from './types.ts';
import { askedDelay, START_ATTEMPTS, START_REQUEST_MS, startDelay } from './waits.ts';

/** What became of a start: an end, or a job that goes on there. */
export type Started =
  | { readonly kind: 'ended'; readonly answer: ComponentAnswer }
  | { readonly kind: 'accepted'; readonly job: ForeignJob };

/** One try that is to be made again: nothing has begun there. */
interface Again {
  readonly kind: 'again';
  readonly reason: string;
  /** What people can do while it is tried again. */
  readonly advice?: string;
  readonly delayMs: number | undefined;
  readonly answer: ComponentAnswer;
}

/**
 * Starts it. Only what certainly began nothing is repeated: nobody was reached, or 503. `attempts` were made before. What
 * came of it is remembered before it is answered.
 */
export async function startThere(calling: Calling, request: ComponentRequest, attempts: number): Promise<Started> {
  const remember = (memo: Memo): Promise<void> => request.remember(memo);
  for (let attempt = attempts + 1; ; attempt++) {
    request.signal.throwIfAborted();
    await remember({ step: 'starting', attempts: attempt });
    const tried = await tryStart(calling, request);
    if (tried.kind === 'accepted') {
      await remember({ step: 'polling', job: tried.job });
      request.log('info', `the component has started its job ${(tried.job.id ?? 'without id').slice(0, 100)}`);
      return tried;
    }
    if (tried.kind === 'ended' || attempt >= START_ATTEMPTS) {
      const answer = request.conceal?.(tried.answer) ?? tried.answer;
      if (fitsMemo(answer)) await remember({ step: 'answered', answer });
      return { kind: 'ended', answer };
    }
    await remember({ step: 'waiting', attempts: attempt });
    const delayMs = tried.delayMs ?? startDelay(attempt);
    const next = `trying again in ${Math.ceil(delayMs / 1000)} s`;
    const advice = attempt === 1 && tried.advice !== undefined ? `. ${tried.advice}` : '';
    request.log('warn', `${tried.reason}; ${next} (attempt ${attempt} of ${START_ATTEMPTS})${advice}`);
    await calling.pause(delayMs, request.signal);
  }
}

async function tryStart(calling: Calling, request: ComponentRequest): Promise<Started | Again> {
  const answer = await ask(calling, request, {
    method: 'POST',
    url: request.url,
    body: JSON.stringify(request.body),
    timeoutMs: START_REQUEST_MS,
    signal: request.signal,
  });
  if (answer instanceof Failure) {
    const failed = errorAnswer(answer.message);
    if (answer.kind !== 'unreachable' && answer.kind !== 'too_many_requests') return { kind: 'ended', answer: failed };
    return { kind: 'again', reason: answer.message, advice: answer.advice, delayMs: undefined, answer: failed };
  }
  if (answer.status === 503) {
    const delayMs = askedDelay(answer, calling.world);
    return { kind: 'again', reason: 'the component is not available (503)', delayMs, answer: readEnd(answer) };
  }
  if (answer.status !== 202) return { kind: 'ended', answer: readEnd(answer) };
  const accepted = readAccepted(answer);
  if (typeof accepted === 'string') return { kind: 'ended', answer: errorAnswer(accepted) };
  return { kind: 'accepted', job: accepted };
}
