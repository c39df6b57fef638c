import type { Parameters } from '../kit/index.ts';
import { basicOf } from './ask.ts';

const MASK = '********';
/** Shorter ones would turn ordinary words into masks. */
const SHORTEST = 4;

/** Puts a mask wherever a secret of the parameters appears in a text, in the forms in which servers echo it. */
export type Redact = (text: string) => string;

/** Other servers like to show what they were sent: as it is, in JSON, in a URL, as the authorization that it became. */
export function createRedact(parameters: Parameters): Redact {
  const plain = secretsOf(parameters);
  const { user, '#password': password } = (parameters['auth'] ?? {}) as Record<string, string | undefined>;
  const basic = password === undefined ? [] : [basicOf(user ?? '', password)];
  const forms = plain.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    Buffer.from(secret).toString('base64'),
  ]);
  const all = [...new Set([...forms, ...basic])].filter((form) => form.length >= SHORTEST);
  all.sort((one, other) => other.length - one.length);
  return (text) => all.reduce((rest, form) => rest.replaceAll(form, MASK), text);
}

/** A copy of a JSON value without secrets in its texts and keys. */
export function redactValue(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((inner) => redactValue(inner, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [redact(key), redactValue(inner, redact)]));
}

function secretsOf(value: unknown, isSecret = false): string[] {
  if (typeof value === 'string' || typeof value === 'number') return isSecret ? [String(value)] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => secretsOf(inner, isSecret || key.startsWith('#')));
}
