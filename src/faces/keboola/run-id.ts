import type { IncomingHttpHeaders } from 'node:http';

const LONGEST = 255;

/** The ancestors that a request names in `X-KBC-RunId`, e.g. `77.81`; null when it names none, or something else. */
export function readRunId(headers: IncomingHttpHeaders): string | null {
  const text = headers['x-kbc-runid'];
  return typeof text === 'string' && text.length <= LONGEST && /^\d+(\.\d+)*$/.test(text) ? text : null;
}

/** A root as a JSON integer, a child as its dotted text. */
export function showRunId(path: string): number | string {
  const number = Number(path);
  return /^\d+$/.test(path) && Number.isSafeInteger(number) ? number : path;
}
