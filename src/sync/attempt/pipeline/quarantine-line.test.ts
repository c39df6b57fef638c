import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { QuarantineLine } from './quarantine-line.ts';
import { printLine } from './quarantine-line.ts';

const head = { stream: 'public.orders', column: 'amount', key: 'id=7', reason: 'too long', time: new Date(0) };

function lineOf(
  values: Readonly<Record<string, string | null>>,
  withValues = true,
): QuarantineLine & { bytes: number } {
  const text = printLine({ ...head, values: () => values }, withValues);
  assert.ok(text.endsWith('}\n'));
  assert.equal(text.indexOf('\n'), text.length - 1);
  return { ...(JSON.parse(text) as QuarantineLine), bytes: Buffer.byteLength(text) };
}

test('a line of quarantine holds the whole row', () => {
  const values = { id: '7', note: 'two\nlines', none: null, ['__proto__']: 'x' };
  const { bytes, ...line } = lineOf(values);
  assert.ok(bytes > 0);
  const { time, ...told } = head;
  assert.deepEqual(line, { ...told, time: time.toISOString(), values });
  assert.equal(Object.hasOwn(line, 'incomplete'), false);
});

test('a long value is cut at 4 KiB in whole characters, and named', () => {
  const { values, incomplete } = lineOf({ id: '7', note: '€'.repeat(3000), rest: 'r' });
  assert.equal(values!['note'], '€'.repeat(1365));
  assert.deepEqual([values!['id'], values!['rest']], ['7', 'r']);
  assert.deepEqual(incomplete, ['note']);
});

test('a line never takes more than 64 KiB, whatever the row is and however its characters are escaped', () => {
  const wide = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`c${at}`, '\u0001'.repeat(5000)]));
  const line = lineOf(wide);
  assert.ok(line.bytes <= 65_536, String(line.bytes));
  assert.ok(Object.keys(line.values!).length >= 2);
  assert.equal(line.incomplete!.length, 100);
  const many = lineOf(Object.fromEntries(Array.from({ length: 9000 }, (_, at) => [`column ${at}`, `${at}`])));
  assert.ok(many.bytes <= 65_536 && many.bytes > 60_000, String(many.bytes));
  const odd = '\u0001'.repeat(1e6);
  const text = printLine({ ...head, column: odd, key: odd, reason: odd, values: () => wide }, true);
  assert.ok(Buffer.byteLength(text) <= 65_536, String(text.length));
});

test('a row without values, or one that comes when the file is full, keeps its key and reason', () => {
  assert.equal(lineOf({ id: '7' }, false).values, undefined);
  const { key, reason, values } = JSON.parse(printLine(head, true)) as QuarantineLine;
  assert.deepEqual([key, reason, values], ['id=7', 'too long', undefined]);
});
