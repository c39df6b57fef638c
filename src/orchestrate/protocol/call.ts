import { Failure } from '../../errors.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { World } from '../../world.ts';
import type { Calling } from './context.ts';
import { killThere } from './kill.ts';
import { readMemo, type ForeignJob } from './memo.ts';
import { pollToEnd } from './poll.ts';
import { startThere, type Started } from './start.ts';
import type { CallComponent, ComponentAnswer, ComponentRequest } from './types.ts';
import { pauseForReal, type Pause } from './waits.ts';

export interface ComponentCallerOptions {
  readonly outbound: Outbound;
  readonly world: World;
  /** Only tests give another: one that moves the time of their world. */
  readonly pause?: Pause;
}

/** The client of the component protocol (keboola contract 7.5, 7.8, 7.9, 8). */
export function createComponentCaller(options: ComponentCallerOptions): CallComponent {
  const calling: Calling = { pause: pauseForReal, ...options };
  return async (request) => {
    const started = await startOrResume(calling, request);
    return started.kind === 'ended' ? started.answer : followJob(calling, request, started.job);
  };
}

async function startOrResume(calling: Calling, request: ComponentRequest): Promise<Started> {
  const memo = readMemo(request.memo);
  if (memo?.step === 'answered') return { kind: 'ended', answer: memo.answer };
  if (memo?.step === 'polling') return { kind: 'accepted', job: memo.job };
  request.signal.throwIfAborted();
  // Whether the request of the lost attempt was carried out, nobody knows; a second one might do it twice.
  if (memo?.step === 'starting') throw new Failure('worker_lost', 'Interrupted by a server restart');
  return startThere(calling, request, memo?.attempts ?? 0);
}

async function followJob(calling: Calling, request: ComponentRequest, job: ForeignJob): Promise<ComponentAnswer> {
  try {
    return await pollToEnd(calling, request, job);
  } catch (thrown) {
    const { aborted, reason } = request.signal;
    if (!aborted) throw thrown;
    const isFinal = reason instanceof Failure && (reason.kind === 'cancelled' || reason.kind === 'timed_out');
    if (isFinal) await killThere(calling, request, job);
    throw reason;
  }
}
