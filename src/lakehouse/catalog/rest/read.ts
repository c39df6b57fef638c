import { Failure } from '../../../errors.ts';
import type { ExactInteger } from '../../iceberg/exact.ts';

/** Reads members of a message that anybody may have written. Each throws `bad_request` that names the member. */

export type Message = Readonly<Record<string, unknown>>;

export function refuse(reason: string): Failure {
  return new Failure('bad_request', reason);
}

export function readObject(value: unknown, what: string): Message {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Message;
  throw refuse(`"${what}" must be an object.`);
}

export function readList(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw refuse(`"${what}" must be a list.`);
}

export function readText(message: Message, key: string): string {
  const value = message[key];
  if (typeof value === 'string') return value;
  throw refuse(`"${key}" must be text.`);
}

/** A whole number that a double holds. */
export function readInteger(message: Message, key: string): number {
  const value = message[key];
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw refuse(`"${key}" must be a whole number.`);
}

/** A whole number of 64 bits. */
export function readLong(message: Message, key: string): ExactInteger {
  return asLong(message[key], key);
}

export function asLong(value: unknown, what: string): ExactInteger {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
  throw refuse(`"${what}" must be a whole number of 64 bits.`);
}

/** Text by text, e.g. properties; numbers and booleans are taken as their text. */
export function readTexts(value: unknown, what: string): Record<string, string> {
  const entries = Object.entries(readObject(value, what)).map(([key, one]): [string, string] => {
    if (typeof one === 'string') return [key, one];
    if (typeof one === 'number' || typeof one === 'boolean' || typeof one === 'bigint') return [key, String(one)];
    throw refuse(`"${what}.${key}" must be text.`);
  });
  return Object.fromEntries(entries);
}
