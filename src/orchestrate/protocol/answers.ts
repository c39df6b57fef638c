import { parseBody, type OutboundAnswer } from '../../outbound/index.ts';
import type { ComponentAnswer } from './types.ts';

type Json = Readonly<Record<string, unknown>>;

/** How a job there stands. */
export type Standing = { readonly isFinished: false } | { readonly isFinished: true; readonly answer: ComponentAnswer };

const ENDS: Readonly<Record<string, ComponentAnswer['status']>> = {
  success: 'success',
  ok: 'success',
  warning: 'warning',
  warn: 'warning',
  error: 'error',
  cancelled: 'cancelled',
  canceled: 'cancelled',
  terminated: 'terminated',
};

/** Words for a job that goes on, where `isFinished` does not say so. */
const ALIVE = new Set([
  'created',
  'queued',
  'pending',
  'scheduled',
  'waiting',
  'preparing',
  'starting',
  'started',
  'running',
  'processing',
  'terminating',
  'cancelling',
  'canceling',
]);

/** What is longer is neither an address that can be called nor an id that fits into one. */
const LONGEST_ADDRESS = 2048;
const LONGEST_ID = 255;

export function errorAnswer(message: string): ComponentAnswer {
  return { status: 'error', response: { status: 'error', message } };
}

/** The end of a call that answered with anything but 202: success for 2xx, else an error that keeps the body. */
export function readEnd(answer: OutboundAnswer): ComponentAnswer {
  const isGood = answer.status >= 200 && answer.status <= 299;
  if (answer.body.length === 0) {
    return isGood ? { status: 'success', response: {} } : errorAnswer(`The component answered ${answer.status}`);
  }
  const body = parseBody(answer.body);
  if (body !== undefined) return { status: isGood ? 'success' : 'error', response: body };
  return errorAnswer(`The component answered ${answer.status} with a body that is not JSON`);
}

/** Where a job is polled that was accepted with 202; a text says why it cannot be. */
export function readAccepted(answer: OutboundAnswer): { readonly url: string; readonly id: string | null } | string {
  const body = parseBody(answer.body);
  if (!isObject(body)) return 'The component answered 202 with a body that is not a JSON object';
  const address = body['url'] ?? body['uri'];
  if (typeof address !== 'string' || address.length > LONGEST_ADDRESS || !URL.canParse(address, answer.url)) {
    return 'The component answered 202 without an address of its job';
  }
  const url = new URL(address, answer.url);
  if (url.origin !== new URL(answer.url).origin) return 'The component answered 202 with a job at another origin';
  const id = typeof body['id'] === 'number' ? String(body['id']) : body['id'];
  return { url: url.href, id: typeof id === 'string' && id.length <= LONGEST_ID ? id : null };
}

/** How the job of a 2xx answer to a poll stands. What cannot be understood is its end, an `error`. */
export function readStanding(answer: OutboundAnswer): Standing {
  const body = parseBody(answer.body);
  if (!isObject(body)) return ended(errorAnswer('The job of the component answered with what is not a JSON object'));
  const word = typeof body['status'] === 'string' ? body['status'].toLowerCase() : '';
  const status = Object.hasOwn(ENDS, word) ? ENDS[word] : undefined;
  const isFinished = body['isFinished'] ?? status !== undefined;
  if (isFinished === true || isFinished === 1) return ended({ status: status ?? 'error', response: body });
  if (body['isFinished'] !== undefined && body['isFinished'] !== null) return { isFinished: false };
  if (ALIVE.has(word)) return { isFinished: false };
  return ended(errorAnswer(`The job of the component has an unknown status: ${JSON.stringify(word.slice(0, 100))}`));
}

function ended(answer: ComponentAnswer): Standing {
  return { isFinished: true, answer };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
