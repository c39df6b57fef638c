import { Failure, failureKinds, toFailure, type FailureKind } from '../../errors.ts';
import { parseBody, type OutboundAnswer } from '../../outbound/index.ts';
import type { ComponentCall, ComponentPorts, ComponentSpec, CreateComponent, Parameters } from '../kit/index.ts';
import { readAsk, type Ask } from './ask.ts';
import { expectsRedirect, missOf } from './expect.ts';
import { createRedact, redactValue, type Redact } from './redact.ts';
import { schema } from './schema.ts';

const MOST_BODY_BYTES = 64 * 1024;
const MOST_LOGGED_CHARACTERS = 1000;
const RESULT_UNKNOWN = 'Find out there whether the call was carried out before you start it again.';
/** What to do where the usual advice of a failure means runs that go on, or what we were sent. */
const ADVICE: Partial<Record<FailureKind, string>> = {
  connection_lost: `Look for the reason at the other side. ${RESULT_UNKNOWN}`,
  timed_out: `Give it more time with timeoutSeconds (up to 3600), or find out what is slow there. ${RESULT_UNKNOWN}`,
  too_large: `Let the other side answer less, for example by pages. ${RESULT_UNKNOWN}`,
  too_many_requests: 'Let fewer tasks call this host at the same time, or give them more time with timeoutSeconds.',
  configuration_invalid: 'Correct the parameter url, or let the other side mend its address, redirect or certificate.',
};
const REPEATABLE = ['GET', 'HEAD', 'OPTIONS'];

/** Calls an HTTP address and compares the answer with what is expected (keboola contract, sections 9 and 10). */
export const component: CreateComponent = (ports) =>
  ({
    id: 'http.call',
    name: 'HTTP call',
    description: 'Calls an HTTP address and succeeds when the answer is as expected: any 2xx, or what you say.',
    schema,
    waits: true,
    isOffBecause: null,
    check: (parameters) => check(ports, parameters),
    execute: (call) => callAddress(ports, call),
  }) satisfies ComponentSpec;

function check({ outbound }: ComponentPorts, parameters: Parameters): void {
  const { url } = readAsk(parameters);
  try {
    outbound.checkUrl(url);
  } catch (thrown) {
    throw new Failure('bad_request', `Parameter 'url': ${toFailure(thrown).message}`);
  }
}

interface Result {
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Null when there was none. */
  readonly body: unknown;
  readonly durationMs: number;
  /** The body is the beginning only, as text. */
  readonly isTruncated?: true;
}

async function callAddress(
  { outbound, world }: ComponentPorts,
  { parameters, attempt }: ComponentCall,
): Promise<Result> {
  const ask = readAsk(parameters);
  const redact = createRedact(parameters);
  if (!REPEATABLE.includes(ask.method)) await beginOnce(attempt);
  const begun = world.elapsed();
  const answer = await send(outbound, ask, attempt.signal);
  const durationMs = Math.round(world.elapsed() - begun);
  const body = parseBody(answer.body);
  const miss = missOf(answer, body, ask.expect);
  attempt.log('info', `${ask.method} ${new URL(ask.url).host} answered ${answer.status} after ${durationMs} ms`);
  if (miss !== undefined) {
    const shown = redact(answer.body.toString()).slice(0, MOST_LOGGED_CHARACTERS);
    attempt.log('warn', `${miss}; it begins with: ${shown}`);
    throw new Failure('unprocessable', `The call was answered, but ${miss}`, {
      advice:
        'The events of the run show how the answer begins. Correct the call, or what its parameter expect asks for.',
    });
  }
  return {
    httpStatus: answer.status,
    headers: shownHeaders(answer, redact),
    ...shownBody(answer, body, redact),
    durationMs,
  };
}

/** A call that may change something is not made again when it is not known whether it was carried out. */
async function beginOnce(attempt: ComponentCall['attempt']): Promise<void> {
  if (attempt.task.memo !== null) {
    throw new Failure(
      'unprocessable',
      'Interrupted by a server restart; whether the call was carried out is not known',
      { advice: RESULT_UNKNOWN },
    );
  }
  await attempt.remember({ hasBegun: true });
}

/** Whatever goes wrong outside is told to whoever wrote the parameters, and not repeated: the task decides that. */
async function send(outbound: ComponentPorts['outbound'], ask: Ask, signal: AbortSignal): Promise<OutboundAnswer> {
  const { url, method, headers, body, timeoutMs } = ask;
  try {
    return await outbound.request({
      url,
      method,
      headers,
      timeoutMs,
      signal,
      ...(body !== undefined && { body }),
      ...(expectsRedirect(ask.expect) && { keepsRedirects: true }),
    });
  } catch (thrown) {
    const failure = toFailure(thrown);
    if (signal.aborted || failure.kind === 'internal') throw failure;
    throw new Failure('unprocessable', failure.message, { advice: adviceOf(failure), cause: failure });
  }
}

function adviceOf({ kind, advice }: Failure): string {
  return advice === failureKinds[kind].advice ? (ADVICE[kind] ?? advice) : advice;
}

/** Cookies open sessions: they are secrets of the other side. */
function shownHeaders({ headers }: OutboundAnswer, redact: Redact): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value]) => [
    redact(name),
    name === 'set-cookie' ? '********' : redact(value),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function shownBody({ body }: OutboundAnswer, parsed: unknown, redact: Redact): Pick<Result, 'body' | 'isTruncated'> {
  if (body.length === 0) return { body: null };
  if (body.length <= MOST_BODY_BYTES) {
    return { body: parsed === undefined ? redact(body.toString()) : redactValue(parsed, redact) };
  }
  // Cut after the masks are in: half a secret at the cut would not be found.
  const bytes = Buffer.from(redact(body.toString())).subarray(0, MOST_BODY_BYTES);
  return { body: new TextDecoder().decode(bytes, { stream: true }), isTruncated: true };
}
