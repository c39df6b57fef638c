import { Failure } from '../../errors.ts';
import { ask, type Calling } from './context.ts';
import type { ForeignJob } from './memo.ts';
import { pollOnce } from './poll.ts';
import type { ComponentRequest } from './types.ts';
import { FIRST_POLL_MS, KILL_MS, KILL_REQUEST_MS, nextPollDelay } from './waits.ts';

/**
 * Asks the component to end its job, and waits for that, 30 s in all whatever it does. Never throws for what the other
 * side does: best effort. A job without id cannot be asked, and is not waited for.
 */
export async function killThere(calling: Calling, request: ComponentRequest, job: ForeignJob): Promise<void> {
  const { world, pause } = calling;
  const end = world.elapsed() + KILL_MS;
  const left = (): number => Math.max(1, Math.min(KILL_REQUEST_MS, end - world.elapsed()));
  if (job.id === null)
    return request.log('warn', 'the job of the component told no id: it is left alone and may go on');
  const url = new URL(`/queue/jobs/${encodeURIComponent(job.id)}/kill`, job.url).href;
  let isAsked = false;
  for (let delay = FIRST_POLL_MS; ; delay = nextPollDelay(delay)) {
    if (!isAsked) {
      const answer = await ask(calling, request, { method: 'POST', url, timeoutMs: left() });
      // Whatever it answers, it has been told; only who was not reached is asked again.
      isAsked = !(answer instanceof Failure);
      const how = answer instanceof Failure ? answer.message : `it answered ${answer.status}`;
      request.log('info', `the component was asked to end its job: ${how}`);
    }
    await pause(Math.min(delay, left()));
    if (world.elapsed() >= end) break;
    const polled = await pollOnce(calling, request, { url: job.url, timeoutMs: left() });
    if ('standing' in polled && polled.standing.isFinished) {
      return request.log('info', `the job of the component has ended with ${polled.standing.answer.status}`);
    }
  }
  request.log('warn', 'the job of the component did not end in time: it is left alone and may go on');
}
