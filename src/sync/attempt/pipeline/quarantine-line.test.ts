import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createWorld } from '../../../world.ts';
import { createQuarantine } from './quarantine.ts';
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

test('what a run keeps is bounded: above 64 MiB rows are kept without their values', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-quarantine-'));
  try {
    const io = { world: createWorld(), log: () => undefined };
    const quarantine = createQuarantine({ error_policy: 'quarantine' }, { folder, io });
    const { stream, time, ...row } = head;
    assert.ok(time && stream);
    const path = join(folder, 'quarantine.ndjson');
    quarantine.refuse(stream, { ...row, values: () => ({ id: '7' }) });
    assert.match(await readFile(path, 'utf8'), /"values":\{"id":"7"\}\}\n$/);
    const full = 64 * 1024 * 1024;
    await truncate(path, full);
    quarantine.refuse(stream, { ...row, values: () => assert.fail('nobody asks for them') });
    const { size } = await stat(path);
    const file = await open(path);
    const { buffer } = await file.read(Buffer.alloc(size - full), 0, size - full, full);
    await file.close();
    assert.deepEqual(Object.keys(JSON.parse(buffer.toString()) as object), [
      'time',
      'stream',
      'column',
      'key',
      'reason',
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
