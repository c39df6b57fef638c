import assert from 'node:assert/strict';

/**
 * Compares what came with what a case expects. Objects need the expected keys only; arrays are compared item by item.
 * Words that stand for a sort of value: `$int`, `$string`, `$boolean`, `$time` (RFC 3339, UTC, milliseconds), `$array`,
 * `$any`, `$absent`, `$match:<regular expression>`; `{"$holds": [...]}` is an array that has such items.
 */
export function matches(actual: unknown, expected: unknown, path = '$'): void {
  if (typeof expected === 'string' && expected.startsWith('$')) return matchWord(actual, expected, path);
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is an array, got ${show(actual)}`);
    assert.equal(actual.length, expected.length, `length of ${path}: ${show(actual)}`);
    expected.forEach((item, index) => matches(actual[index], item, `${path}[${index}]`));
    return;
  }
  if (typeof expected !== 'object' || expected === null) {
    assert.deepEqual(actual, expected, `${path}: ${show(actual)}`);
    return;
  }
  const holds = (expected as { $holds?: unknown[] }).$holds;
  if (holds) return matchHolds(actual, holds, path);
  assert.ok(typeof actual === 'object' && actual !== null, `${path} is an object, got ${show(actual)}`);
  for (const [key, value] of Object.entries(expected)) {
    if (value === '$absent') assert.ok(!Object.hasOwn(actual, key), `${path}.${key} is absent: ${show(actual)}`);
    else matches((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}

function matchHolds(actual: unknown, wanted: readonly unknown[], path: string): void {
  assert.ok(Array.isArray(actual), `${path} is an array, got ${show(actual)}`);
  for (const item of wanted) {
    assert.ok(
      actual.some((candidate) => fits(candidate, item)),
      `${path} holds ${show(item)}, got ${show(actual)}`,
    );
  }
}

function fits(actual: unknown, expected: unknown): boolean {
  try {
    matches(actual, expected);
    return true;
  } catch {
    return false;
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z$/;

const WORDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  $any: (value) => value !== undefined,
  $int: (value) => Number.isSafeInteger(value),
  $string: (value) => typeof value === 'string',
  $boolean: (value) => typeof value === 'boolean',
  $array: (value) => Array.isArray(value),
  $json: (value) => typeof value === 'string' && typeof JSON.parse(value) === 'object',
  $time: (value) => typeof value === 'string' && TIME.test(value),
};

function matchWord(actual: unknown, word: string, path: string): void {
  if (word.startsWith('$match:')) {
    assert.match(String(actual), new RegExp(word.slice(7)), path);
    return;
  }
  const test = WORDS[word];
  assert.ok(test, `${word} is no matcher`);
  assert.ok(test(actual), `${path} is ${word}, got ${show(actual)}`);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 500);
}
