import { isDeepStrictEqual } from 'node:util';
import type { OutboundAnswer } from '../../outbound/index.ts';
import type { Expectation } from './ask.ts';

/** What an answer lacks of what was expected, as a sentence without any of its content; undefined when it is as expected. */
export function missOf(answer: OutboundAnswer, body: unknown, expect: Expectation): string | undefined {
  const { status, path } = expect;
  const wanted = status === undefined ? undefined : [status].flat();
  const isStatus = wanted?.includes(answer.status) ?? (answer.status >= 200 && answer.status <= 299);
  if (!isStatus) return `the answer has status ${answer.status}, expected is ${wanted?.join(' or ') ?? '2xx'}`;
  const isAsked = Object.hasOwn(expect, 'equals');
  if (path === undefined && !isAsked) return undefined;
  if (body === undefined) return 'the answer is no JSON, so nothing can be looked for in it';
  const found = path === undefined ? body : valueAt(body, path);
  const place = path === undefined ? 'the answer' : `"${path}" of the answer`;
  if (found === undefined) return `${place} is missing`;
  return isAsked && !isDeepStrictEqual(found, expect.equals) ? `${place} is not what was expected` : undefined;
}

/** Whether redirects are to be looked at instead of followed. */
export function expectsRedirect({ status }: Expectation): boolean {
  return status !== undefined && [status].flat().some((one) => one >= 300 && one <= 399);
}

function valueAt(body: unknown, path: string): unknown {
  let value = body;
  for (const name of path.split('.')) {
    // Own and enumerable: neither what every object has nor the length of a list is part of the answer.
    if (typeof value !== 'object' || !Object.prototype.propertyIsEnumerable.call(value ?? {}, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
