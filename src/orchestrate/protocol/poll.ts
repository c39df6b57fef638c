import { Failure, type FailureKind } from '../../errors.ts';
import { errorAnswer, readEnd, readStanding, type Standing } from './answers.ts';
import { ask, type Calling } from './context.ts';
import type { ForeignJob } from './memo.ts';
import type { ComponentAnswer, ComponentRequest } from './types.ts';
import { askedDelay, FIRST_POLL_MS, nextPollDelay, POLL_FAILURES, POLL_REQUEST_MS } from './waits.ts';

/** They pass; all other failures of a poll are its end. */
const PASSING: readonly FailureKind[] = ['unreachable', 'connection_lost', 'timed_out'];

/** How one poll came out. */
export type Polled = { readonly delayMs?: number | undefined } & (
  | { readonly standing: Standing }
  /** `isCounted`: the other side failed; else it was not even asked. */
  | { readonly problem: string; readonly isCounted: boolean }
);

/** Polls until the job has ended, or cannot be polled any more. Throws the signal's reason. */
export async function pollToEnd(
  calling: Calling,
  request: ComponentRequest,
  job: ForeignJob,
): Promise<ComponentAnswer> {
  let delay = FIRST_POLL_MS;
  let wait = delay;
  let failures = 0;
  for (;;) {
    await calling.pause(wait, request.signal);
    const polled = await pollOnce(calling, request, {
      url: job.url,
      timeoutMs: POLL_REQUEST_MS,
      signal: request.signal,
    });
    if ('standing' in polled) {
      if (polled.standing.isFinished) return polled.standing.answer;
      failures = 0;
    } else if (polled.isCounted) {
      failures += 1;
      request.log('warn', `the job of the component could not be polled: ${polled.problem}`);
      if (failures >= POLL_FAILURES) {
        return errorAnswer(`The job of the component could not be polled ${failures} times: ${polled.problem}`);
      }
    }
    delay = nextPollDelay(delay);
    wait = polled.delayMs ?? delay;
  }
}

/** One poll. Throws only the signal's reason. */
export async function pollOnce(
  calling: Calling,
  request: ComponentRequest,
  where: { readonly url: string; readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Polled> {
  const answer = await ask(calling, request, { method: 'GET', ...where });
  if (answer instanceof Failure) {
    if (answer.kind === 'too_many_requests') return { problem: answer.message, isCounted: false };
    if (PASSING.includes(answer.kind)) return { problem: answer.message, isCounted: true };
    return { standing: { isFinished: true, answer: errorAnswer(answer.message) } };
  }
  const delayMs = askedDelay(answer, calling.world);
  if (answer.status >= 500) return { problem: `it answered ${answer.status}`, isCounted: true, delayMs };
  if (answer.status >= 200 && answer.status <= 299) return { standing: readStanding(answer), delayMs };
  const end = readEnd(answer);
  return { standing: { isFinished: true, answer: end } };
}
