import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { trimHistory } from './history.ts';
import { readManifests } from './manifest-files.ts';
import { currentSnapshot, formatMetadata, withProperties } from './metadata.ts';
import type { TableMetadata } from './model.ts';
import type { IcebergTable } from './state.ts';
import type { Lake } from './table.test-support.ts';
import { batchOf, checkpoint, name, openLake, orderColumns, readIndependently } from './table.test-support.ts';

async function lakeWith(context: TestContext, properties: Record<string, string>): Promise<Lake> {
  const lake = await openLake();
  context.after(() => lake.close());
  const table = await lake.open({ identifier: '_olake_id' });
  const next = `${table.metadata.location}/metadata/00009-foreign.metadata.json`;
  await lake.storage.put(next, formatMetadata(withProperties(table.metadata, properties)));
  assert.ok(await lake.catalog.swap(name, { expected: table.metadataLocation, next }));
  await table.close();
  return lake;
}

async function commit(table: IcebergTable, seq: number, ids: readonly string[]): Promise<void> {
  const unit = table.beginUnit();
  await unit.write(
    batchOf(
      orderColumns,
      ids.map((id) => [id, BigInt(seq)]),
    ),
  );
  await unit.commit(seq % 3 === 0 ? 'append' : 'upsert', checkpoint(seq));
}

describe('a table that is committed for ever', () => {
  it('keeps few manifests, few snapshots and few metadata files, and every row', async (t) => {
    const lake = await lakeWith(t, {
      'commit.manifest.min-count-to-merge': '6',
      'penstock.history.max-snapshots': '8',
      'write.metadata.previous-versions-max': '5',
    });
    const table = await lake.open({ identifier: '_olake_id' });
    const expected = new Map<string, bigint>();
    for (let seq = 1; seq <= 40; seq++) {
      const ids = seq % 3 === 0 ? [`new-${seq}`] : ['a', `k${seq % 7}`];
      for (const id of ids) expected.set(id, BigInt(seq));
      await commit(table, seq, ids);
      const manifests = await readManifests(lake.storage, currentSnapshot(table.metadata));
      for (const content of [0, 1]) {
        const count = manifests.filter((one) => one.content === content).length;
        assert.ok(count <= 8, `${count} manifests after commit ${seq}`);
      }
    }
    assert.equal(table.metadata.snapshots.length, 8);
    assert.equal(table.metadata['snapshot-log'].length, 8);
    assert.equal(table.metadata['metadata-log'].length, 5);
    const files = await lake.storage.list(`${table.metadata.location}/metadata`);
    const own = files.filter((path) => path.endsWith('.metadata.json') && !path.includes('/00000-'));
    assert.equal(own.length, 6);
    const rows = await readIndependently(table.metadata);
    assert.deepEqual(rows.map((row) => [row['_olake_id'], row['amount']]).sort(), [...expected].sort());
    await table.close();
    assert.equal((await lake.open({ identifier: '_olake_id' })).checkpoint?.seq, 40);
  });

  it('merges manifests without losing when a file was written', async (t) => {
    const lake = await lakeWith(t, { 'commit.manifest.min-count-to-merge': '3' });
    const table = await lake.open({ identifier: '_olake_id' });
    for (let seq = 1; seq <= 10; seq++) await commit(table, seq, ['same']);
    const rows = await readIndependently(table.metadata);
    // Commits 3, 6 and 9 append, 10 replaces what came before it.
    assert.deepEqual(
      rows.map((row) => row['amount']),
      [10n],
    );
  });
});

describe('the bounds of a history', () => {
  const metadata = (count: number): TableMetadata => {
    const snapshots = Array.from({ length: count }, (_, at) => ({
      'snapshot-id': at + 1,
      ...(at > 0 && { 'parent-snapshot-id': at }),
      'sequence-number': at + 1,
      'timestamp-ms': 1000 * (at + 1),
      'manifest-list': `/list-${at + 1}`,
      summary: { operation: 'append' },
    }));
    return {
      snapshots,
      'current-snapshot-id': count,
      refs: { main: { 'snapshot-id': count, type: 'branch' } },
      'snapshot-log': snapshots.map((one) => ({ 'snapshot-id': one['snapshot-id'], 'timestamp-ms': 1 })),
      statistics: [{ 'snapshot-id': 1 }, { 'snapshot-id': count }],
    } as unknown as TableMetadata;
  };
  const idsOf = (of: TableMetadata): unknown[] => of.snapshots.map((one) => one['snapshot-id']);
  const always = Number.NEGATIVE_INFINITY;

  it('hold by count, by age, and never below the least', () => {
    const five = metadata(5);
    assert.deepEqual(idsOf(trimHistory(five, { keepAtLeast: 1, keepAtMost: 3, before: always })), [3, 4, 5]);
    assert.deepEqual(idsOf(trimHistory(five, { keepAtLeast: 1, keepAtMost: 9, before: 4500 })), [5]);
    assert.deepEqual(idsOf(trimHistory(five, { keepAtLeast: 4, keepAtMost: 9, before: 9000 })), [2, 3, 4, 5]);
    assert.equal(trimHistory(five, { keepAtLeast: 1, keepAtMost: 9, before: always }), five);
  });

  it('spare what a tag points at; statistics and the log go with their snapshots', () => {
    const five = metadata(5);
    const tagged = { ...five, refs: { ...five.refs, old: { 'snapshot-id': 2, type: 'tag' } } };
    const trimmed = trimHistory(tagged, { keepAtLeast: 1, keepAtMost: 2, before: always });
    assert.deepEqual(idsOf(trimmed), [2, 4, 5]);
    assert.deepEqual(trimmed['statistics'], [{ 'snapshot-id': 5 }]);
    assert.deepEqual(
      trimmed['snapshot-log'].map((one) => one['snapshot-id']),
      [4, 5],
    );
  });

  it('leave snapshots of a rolled back line until they are old, or far too many', () => {
    const back = { ...metadata(5), 'current-snapshot-id': 2, refs: { main: { 'snapshot-id': 2, type: 'branch' } } };
    assert.deepEqual(idsOf(trimHistory(back, { keepAtLeast: 1, keepAtMost: 3, before: 3500 })), [2, 4, 5]);
    assert.deepEqual(idsOf(trimHistory(back, { keepAtLeast: 1, keepAtMost: 2, before: always })), [1, 2]);
  });
});
