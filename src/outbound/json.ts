/** Nested deeper, some step on the way to the database or back would run out of stack. */
const DEEPEST = 200;

/**
 * The JSON value of a body; undefined when it is none, is not UTF-8, or is nested deeper than can be kept. An empty body is
 * undefined too.
 */
export function parseBody(body: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text);
    return isDeeper(value, DEEPEST) ? undefined : value;
  } catch {
    return undefined;
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
