import { toFailure, type Failure } from '../../errors.ts';
import { parseBody, type Outbound, type OutboundAnswer } from '../../outbound/index.ts';
import type { World } from '../../world.ts';
import type { ComponentRequest } from './types.ts';
import type { Pause } from './waits.ts';

/** What a call of a component is made with. */
export interface Calling {
  readonly outbound: Outbound;
  readonly world: World;
  readonly pause: Pause;
}

export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Asks with the headers of the call, and tells of the body. Answers a failure of the other side; throws our own. */
export async function ask(calling: Calling, request: ComponentRequest, what: Ask): Promise<OutboundAnswer | Failure> {
  const { body } = what;
  const headers = { ...request.headers, ...(body !== undefined && { 'content-type': 'application/json' }) };
  try {
    const answer = await calling.outbound.request({ ...what, headers });
    const parsed = parseBody(answer.body);
    if (parsed !== undefined) request.answered?.(parsed);
    return answer;
  } catch (thrown) {
    if (what.signal?.aborted) throw what.signal.reason;
    const failure = toFailure(thrown);
    if (failure.kind === 'internal') throw failure;
    return failure;
  }
}
