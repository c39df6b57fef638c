import { lookup } from 'node:dns/promises';
import { Failure, toFailure } from '../errors.ts';
import { exchange, type ExchangeOptions } from './exchange.ts';
import { readHeaders, readMethod } from './headers.ts';
import { checkAddresses, type Rules } from './rules.ts';
import { createSlots, type TakeSlot } from './slots.ts';
import { readTarget, type Target } from './target.ts';
import type { ConnectionOptions, Limits, Outbound, OutboundAnswer, OutboundCall, Resolve } from './types.ts';

const LIMITS: Limits = {
  connectMs: 10_000,
  bodyMs: 300_000,
  answerBytes: 1024 * 1024,
  connectionsPerHost: 20,
  redirects: 3,
};

const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Setting extends ExchangeOptions {
  readonly rules: Rules;
  readonly resolve: Resolve;
  readonly takeSlot: TakeSlot;
}

/** The client that keeps to these rules. */
export function createCaller(rules: Rules, options: ConnectionOptions): Outbound {
  const limits = { ...LIMITS, ...options.limits };
  const setting: Setting = {
    rules,
    resolve: options.resolve ?? resolveBySystem,
    limits,
    authorities: options.authorities,
    takeSlot: createSlots(limits.connectionsPerHost),
  };
  return {
    checkUrl: rules.checkUrl,
    trustOf: (url) => rules.admit(readTarget(url, 'configuration_invalid')).trust,
    request: (call) => request(setting, call),
  };
}

/** One request that is on its way, over its redirects. */
interface Journey {
  readonly call: OutboundCall;
  readonly headers: Readonly<Record<string, string>>;
  readonly method: string;
  readonly body: string | undefined;
  /** Aborts with a `Failure`: `cancelled` or `timed_out`. */
  readonly signal: AbortSignal;
  /** How far it has come. */
  readonly progress: { step: 'resolving' | 'waiting' | 'connecting' | 'reached' };
}

async function request(setting: Setting, call: OutboundCall): Promise<OutboundAnswer> {
  const method = readMethod(call.method);
  const headers = readHeaders(call.headers);
  const target = readTarget(call.url, 'configuration_invalid');
  const cut = new AbortController();
  const cancel = (): void => cut.abort(new Failure('cancelled', `the call of ${target.place} was cancelled`));
  const seconds = Math.ceil(call.timeoutMs / 100) / 10;
  const timeout = (): Failure => new Failure('timed_out', `${target.place} did not answer within ${seconds} s`);
  const timer = setTimeout(() => cut.abort(timeout()), Math.min(call.timeoutMs, LONGEST_TIMER_MS));
  if (call.signal?.aborted) cancel();
  call.signal?.addEventListener('abort', cancel);
  const progress: Journey['progress'] = { step: 'resolving' };
  try {
    const journey = { call, headers, method, body: call.body, signal: cut.signal, progress };
    return await travel(setting, journey, target);
  } catch (thrown) {
    throw refine(toFailure(thrown), progress.step, target);
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener('abort', cancel);
  }
}

async function travel(setting: Setting, first: Journey, start: Target): Promise<OutboundAnswer> {
  let journey = first;
  let target = start;
  for (let hops = 0; ; hops++) {
    const answer = await ask(setting, journey, target);
    const next = first.call.keepsRedirects ? undefined : redirectOf(answer, target);
    if (next === undefined) return answer;
    if (hops === setting.limits.redirects) {
      throw new Failure('configuration_invalid', `${target.place} redirects more than ${hops} times`);
    }
    if (answer.status === 303) journey = asGet(journey);
    target = next;
  }
}

async function ask(setting: Setting, journey: Journey, target: Target): Promise<OutboundAnswer> {
  const { signal, progress, call, ...rest } = journey;
  signal.throwIfAborted();
  const { most } = setting.rules.admit(target);
  const hasReached = progress.step === 'reached';
  const enter = (step: Journey['progress']['step']): void => void (hasReached || (progress.step = step));
  enter('waiting');
  const giveBack = await setting.takeSlot(target.host, signal);
  try {
    enter('resolving');
    const addresses = await resolveWithin(setting, target, signal);
    checkAddresses(target.host, addresses, most);
    enter('connecting');
    const ignoresBody = call.ignoresBody === true;
    return await exchange(
      { ...rest, target, addresses, ignoresBody, signal, reached: () => enter('reached') },
      setting,
    );
  } finally {
    giveBack();
  }
}

async function resolveWithin(setting: Setting, target: Target, signal: AbortSignal): Promise<readonly string[]> {
  if (target.address !== undefined) return [target.address];
  const { connectMs } = setting.limits;
  const cut = Promise.withResolvers<never>();
  const abort = (): void => cut.reject(signal.reason);
  const slow = new Failure('unreachable', `the name ${target.host} was not resolved in ${connectMs / 1000} s`);
  const timer = setTimeout(() => cut.reject(slow), connectMs);
  signal.addEventListener('abort', abort);
  try {
    const addresses = await Promise.race([setting.resolve(target.host), cut.promise]);
    if (addresses.length === 0) throw new Failure('unreachable', `the name ${target.host} has no address`);
    return addresses;
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    throw explainLookup(thrown, target.host);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** No such name, or nobody who can tell: people have to look at different places. */
function explainLookup(thrown: unknown, host: string): Failure {
  const { code, message } = thrown as { readonly code?: string; readonly message: string };
  if (code === 'ENOTFOUND') {
    const advice = 'Correct the host in the address, or let the name be added to the name server.';
    return new Failure('unreachable', `the name ${host} is not known`, { cause: thrown, advice });
  }
  const advice = 'Check the name server of the machine that Penstock runs on.';
  const reason = code === 'EAI_AGAIN' ? 'the name server does not answer' : message;
  return new Failure('unreachable', `the name ${host} could not be looked up: ${reason}`, { cause: thrown, advice });
}

/** Where an answer sends us; undefined when it is to be taken as it is. A token never goes to another origin. */
function redirectOf({ status, headers }: OutboundAnswer, from: Target): Target | undefined {
  const location = headers['location'];
  if (![303, 307, 308].includes(status) || location === undefined) return undefined;
  const url = URL.canParse(location, from.url.href) ? new URL(location, from.url) : undefined;
  if (url === undefined || url.origin !== from.url.origin) {
    throw new Failure('configuration_invalid', `${from.place} redirects to another origin`);
  }
  url.hash = '';
  return readTarget(url.href, 'configuration_invalid');
}

function asGet(journey: Journey): Journey {
  const { 'content-type': _, ...headers } = journey.headers;
  return { ...journey, method: journey.method === 'HEAD' ? 'HEAD' : 'GET', body: undefined, headers };
}

/** Says of a failure whether anything has reached the host. */
function refine(failure: Failure, step: Journey['progress']['step'], { place, host }: Target): Failure {
  const options = { cause: failure };
  if (step === 'reached') {
    return failure.kind === 'unreachable' ? new Failure('connection_lost', failure.message, options) : failure;
  }
  if (failure.kind !== 'timed_out') return failure;
  if (step === 'waiting') {
    return new Failure('too_many_requests', `all connections to ${host} were taken until the time was over`, options);
  }
  return new Failure('unreachable', `${place} could not be connected before the time was over`, options);
}

async function resolveBySystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
