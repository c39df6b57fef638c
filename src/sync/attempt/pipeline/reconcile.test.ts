import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../world.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import type { StreamWork } from './context.ts';
import { reconcile } from './reconcile.ts';
import type { Sample } from './sampling.ts';

type Texts = readonly (string | null)[];

/** A stream of two columns whose table and source hold what the test says. */
function work(parts: { stored: readonly Texts[]; source: readonly Texts[]; mode?: string }): {
  work: StreamWork;
  warnings: string[];
} {
  const warnings: string[] = [];
  const columns = ['id', 'name'].map((name) => ({
    name,
    sourceType: 'text',
    column: { name, type: { kind: 'string' }, nullable: true },
    orderable: true,
  }));
  const samples: Sample[] = parts.source.map((_, row) => ({
    place: { file: 'f', row },
    key: [String(row)],
    written: [String(row), 'a'],
  }));
  const stream = {
    id: 's.t',
    mode: parts.mode ?? 'full_refresh',
    cursor: { column: 'name' },
    normalization: true,
    tableColumns: columns.map(({ column }) => column),
    selection: { namespace: 's', name: 't', columns, primaryKey: ['id'] },
  } as unknown as ResolvedStream;
  const tools = {
    io: { world: createWorld(), log: () => {} },
    signal: new AbortController().signal,
    source: { fetchByKey: async () => parts.source.map((values) => ({ values })) },
    warn: (message: string) => warnings.push(message),
  };
  const table = { readRows: async () => parts.stored };
  return { work: { tools, stream, table, sampler: { samples } } as unknown as StreamWork, warnings };
}

const EXACT = { sourceRows: 2, tableRows: 2, leftOut: 0, exact: true };

test('equal rows and totals are equal', async () => {
  const rows = [
    ['0', 'a'],
    ['1', 'a'],
  ];
  const { work: same, warnings } = work({ stored: rows, source: rows });
  const result = await reconcile(same, EXACT);
  assert.deepEqual([result.verdict, result.sampledRows, result.mismatchedRows], ['equal', 2, 0]);
  assert.deepEqual(warnings, []);
});

test('one flipped value in the table is found, and the column and key are named, not the value', async () => {
  const { work: flipped, warnings } = work({
    stored: [
      ['0', 'a'],
      ['1', 'secret'],
    ],
    source: [
      ['0', 'a'],
      ['1', 'a'],
    ],
  });
  const result = await reconcile(flipped, EXACT);
  assert.deepEqual([result.verdict, result.mismatchedRows], ['different', 1]);
  assert.match(warnings[0]!, /row 1 differs in column name/);
  assert.ok(!warnings.join(' ').includes('secret'));
});

test('a source that differs from a faithful table is found in a full refresh', async () => {
  const { work: changed } = work({ stored: [['0', 'a']], source: [['0', 'b']] });
  assert.equal((await reconcile(changed, { ...EXACT, sourceRows: 1, tableRows: 1 })).verdict, 'different');
});

test('a row that moved on in the source is left to the next incremental run', async () => {
  const { work: moved } = work({ stored: [['0', 'a']], source: [['0', 'b']], mode: 'incremental' });
  assert.equal((await reconcile(moved, { ...EXACT, sourceRows: 1, tableRows: 1, exact: false })).verdict, 'equal');
});

test('totals count: exact ones must agree, others are said to be not comparable', async () => {
  const rows = [['0', 'a']];
  const differ = { sourceRows: 3, tableRows: 2, leftOut: 0 };
  assert.equal(
    (await reconcile(work({ stored: rows, source: rows }).work, { ...differ, exact: true })).verdict,
    'different',
  );
  const loose = await reconcile(work({ stored: rows, source: rows }).work, { ...differ, exact: false });
  assert.equal(loose.verdict, 'not comparable');
  const kept = await reconcile(work({ stored: rows, source: rows }).work, { ...differ, leftOut: 1, exact: true });
  assert.equal(kept.verdict, 'equal');
});
