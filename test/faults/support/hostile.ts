/** Strings that have broken parsers, shells, databases and file systems. */
export const HOSTILE_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\u001b[2J\u001b]0;x\u0007',
  'line\nline\r\n',
  '\ud800',
  '\udfff\ud800',
  '\uffff\ufeff\u202e',
  'é'.repeat(300),
  '😀'.repeat(101),
  'x'.repeat(70_000),
  '{'.repeat(5000),
  '['.repeat(300) + ']'.repeat(300),
  '"',
  "'; drop table users; --",
  "' or '1'='1",
  '$$; select 1; $$',
  '../../../../etc/passwd',
  '/proc/self/environ',
  'file:///etc/passwd',
  '${jndi:ldap://127.0.0.1/a}',
  '{{7*7}}',
  '%s%n%p',
  '%00',
  '%ff',
  '__proto__',
  'constructor',
  'toString',
  '********',
  'postgres://u:********@h/db',
  'http://[::ffff:169.254.169.254]/',
  'http://2130706433/',
  'javascript:alert(1)',
  'NaN',
  '1e999',
  '99999999999999999999',
  '-0',
  '{"__proto__":{"role":"admin"}}',
  '{"a":1e400}',
  '{"a":"\\u0000"}',
  '[]',
  'null',
  '* * * * *',
  '*/0 * * * *',
  '99999999999-minutes',
  '@every 1ns',
  '0 0 31 2 *',
  'TZ=../../etc * * * * *',
];
export const HOSTILE_VALUES: readonly unknown[] = [
  ...HOSTILE_TEXTS,
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  2 ** 63,
  [],
  [[]],
  {},
  { length: 1e9 },
  { toString: 1, valueOf: 1, constructor: { prototype: {} } },
  Array.from({ length: 5000 }, () => null),
  Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`k${at}`, at])),
];
/** Bodies that no writer of JSON would write. */
export const RAW_BODIES = [
  '{"name":"a","name":{"name":1}}',
  '{"__proto__":{"name":"x"},"name":"y"}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"a":-}',
  '{"a":1e99999}',
  '{"a":01}',
  '\ufeff{}',
  '{"a":"\t"}',
  `{"a":${'9'.repeat(20_000)}}`,
  `{"a":"${'\\'.repeat(9998)}"}`,
  `${'{"a":'.repeat(99)}1${'}'.repeat(99)}`,
  '{}{}',
  ' ',
];

/** Every place of a JSON value, as a path of keys. */
export function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

export function withValue(value: unknown, [key, ...rest]: readonly string[], put: unknown): unknown {
  if (key === undefined) return put;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = withValue(copy[key], rest, put);
  return copy;
}

/** Small, repeatable random numbers. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const copy = [...all];
  for (let at = copy.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
}
