import { Failure } from '../../errors.ts';

const DEEPEST = 200;
/** Numbers that a double may not hold: many digits, or a large exponent. Only then the slow, exact way is taken. */
const SUSPICIOUS = /[\d.]{16}|\d[eE]\+?\d{2}/;

interface Source {
  /** The number as it was written; absent for objects and arrays. */
  readonly source?: string;
}
type Reviver = (key: string, value: unknown, context: Source) => unknown;
const exactJson = JSON as unknown as { parse(text: string, reviver: Reviver): unknown; rawJSON(text: string): unknown };

/**
 * Parses JSON so that writing the value again gives every number back exactly: one that a double cannot hold becomes a
 * raw JSON value. Refuses what later steps cannot carry: nesting beyond 200 levels, NUL and unpaired surrogates.
 * Throws `bad_request` whose sentence starts with `what`.
 */
export function parseJson(text: string, what: string): unknown {
  if (tooDeep(text)) throw new Failure('bad_request', `${what} is nested deeper than ${DEEPEST} levels`);
  const value = parse(text, what);
  checkStorable(value, text, what);
  return value;
}

/** Refuses a value, whose JSON text is `text`, that holds NUL or half of a surrogate pair in any string or key. */
export function checkStorable(value: unknown, text: string, what: string): void {
  if (mayHoldBadText(text) && holdsBadText(value)) {
    throw new Failure(
      'bad_request',
      `${what} holds characters that cannot be stored (NUL or half of a surrogate pair)`,
    );
  }
}

function parse(text: string, what: string): unknown {
  try {
    return SUSPICIOUS.test(text) ? exactJson.parse(text, keepNumber) : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure('bad_request', `${what} is not valid JSON`);
    throw error;
  }
}

function keepNumber(_key: string, value: unknown, context: Source): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  if (Number.isSafeInteger(value) || String(value) === context.source) return value;
  return exactJson.rawJSON(context.source);
}

function tooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 92) at++;
      else if (code === 34) quoted = false;
    } else if (code === 34) quoted = true;
    else if (code === 91 || code === 123) {
      if (++depth > DEEPEST) return true;
    } else if (code === 93 || code === 125) depth--;
  }
  return false;
}

function mayHoldBadText(text: string): boolean {
  return !text.isWellFormed() || /\\u(?:0000|d[89a-f])/i.test(text);
}

function holdsBadText(value: unknown): boolean {
  if (typeof value === 'string') return !isStorable(value);
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsBadText);
  return Object.entries(value).some(([key, inner]) => !isStorable(key) || holdsBadText(inner));
}

/** True for text that the database holds unchanged. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

function isRawNumber(value: object): boolean {
  return (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value);
}
