import { Failure } from '../../../errors.ts';

type Json = Readonly<Record<string, unknown>>;

const MOST_MEMBERS = 1000;
const CONTROL = /\p{Cc}/u;

/** A `bad_request` that names the field: `tasks[1].componentUrl: only https is allowed`. */
export function refuse(field: string, reason: string): Failure {
  return new Failure('bad_request', `${field}: ${reason}`, { details: [{ field, reason }] });
}

/** Text of 1 to `most` characters that can be stored and shown in one line. */
export function readText(value: unknown, field: string, most: number): string {
  if (typeof value !== 'string') throw refuse(field, 'must be text');
  const isLong = value.length > 2 * most || [...value].length > most;
  if (value === '' || isLong) throw refuse(field, `must have 1 to ${most} characters`);
  if (CONTROL.test(value) || !value.isWellFormed()) throw refuse(field, 'must not contain control characters');
  return value;
}

/** `true`, `false`, or the 1 and 0 of clients whose language does not tell them apart. */
export function readFlag(value: unknown, field: string): boolean {
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  throw refuse(field, 'must be true or false');
}

/** A whole number in a range. */
export function readWhole(value: unknown, field: string, [least, most]: readonly [number, number]): number {
  const isWhole = typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most;
  if (isWhole) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw refuse(field, `must be a whole number ${range}`);
}

/** A JSON object; an empty array is one, as PHP writes it, and so is null. */
export function readObject(value: unknown, field: string): Json {
  if (value === null || value === undefined) return {};
  if (isObject(value)) return value;
  if (Array.isArray(value) && value.length === 0) return {};
  throw refuse(field, 'must be an object');
}

/**
 * The members of an array of at most 1000, or of an object whose keys are numbers, in the order of these: so PHP writes
 * arrays with gaps.
 */
export function readList(value: unknown, field: string): readonly unknown[] {
  const members = Array.isArray(value) ? (value as unknown[]) : readNumbered(value, field);
  if (members.length > MOST_MEMBERS) throw refuse(field, `at most ${MOST_MEMBERS} are allowed`);
  return members;
}

function readNumbered(value: unknown, field: string): readonly unknown[] {
  if (!isObject(value)) throw refuse(field, 'must be an array');
  const entries = Object.entries(value);
  const bad = entries.find(([key]) => !/^\d{1,15}$/.test(key))?.[0];
  if (bad !== undefined) throw refuse(field, `must be an array; "${show(bad)}" is no position in one`);
  return entries.toSorted(([one], [other]) => Number(one) - Number(other)).map(([, member]) => member);
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What was sent, cut and without control characters, for a message. */
export function show(text: string): string {
  return text.slice(0, 40).replaceAll(/\p{Cc}/gu, '?');
}
