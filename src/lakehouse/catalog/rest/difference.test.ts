import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetadata, withProperties, withSchema, withSnapshot, withSpec } from '../../iceberg/metadata.ts';
import type { TableMetadata } from '../../iceberg/model.ts';
import { applyUpdates } from './apply.ts';
import { containsChange, describeChange } from './difference.ts';
import { checkRequirements } from './requirements.ts';

const field = (id: number, name: string) => ({ id, name, required: false, type: 'long' });
const first = createMetadata({
  uuid: '11111111-1111-4111-8111-111111111111',
  location: '/lake/shop/orders',
  schema: { type: 'struct', 'schema-id': 0, fields: [field(1, 'id')] },
  lastColumnId: 1,
  now: 1000,
});
const snapshot = (id: number | bigint, sequence: number) => ({
  'snapshot-id': id,
  'sequence-number': sequence,
  'timestamp-ms': 1000,
  'manifest-list': `/lake/shop/orders/metadata/${id}.avro`,
  summary: { operation: 'append' },
});

/** Steps as the writer of tables takes them. */
const steps: Readonly<Record<string, (table: TableMetadata) => TableMetadata>> = {
  'new properties': (table) => withProperties(table, { a: '1', 'write.format.default': undefined }),
  'a snapshot with its checkpoint': (table) =>
    withProperties(withSnapshot(table, snapshot(2n ** 60n + 1n, 1)), { seq: '1' }),
  'a wider schema': (table) =>
    withSchema(table, { type: 'struct', 'schema-id': 0, fields: [field(1, 'id'), field(2, 'more')] }, 2),
  'an older schema again': (table) => withSchema(steps['a wider schema']!(table), first.schemas[0]!, 2),
  'a partition spec that becomes the default': (table) => {
    const { metadata, specId } = withSpec(table, [{ 'source-id': 1, name: 'id', transform: 'bucket[4]' }]);
    return { ...metadata, 'default-spec-id': specId };
  },
  'a history that is cut': (table) => {
    const two = withSnapshot(withSnapshot(table, snapshot(5, 1)), snapshot(6, 2));
    return { ...two, snapshots: two.snapshots.slice(1), 'snapshot-log': two['snapshot-log'].slice(1) };
  },
};

describe('what a catalog is told of a change', () => {
  for (const [what, step] of Object.entries(steps)) {
    it(`makes the same table: ${what}`, () => {
      const next = step(first);
      const { requirements, updates } = describeChange(first, next);
      assert.ok(updates.length > 0);
      checkRequirements(first, requirements);
      assert.deepEqual(applyUpdates(first, updates, 1000), next);
    });
  }

  it('does not hold after another snapshot, even when only properties change', () => {
    const base = withSnapshot(first, snapshot(1, 1));
    const { requirements } = describeChange(base, withProperties(base, { a: '1' }));
    checkRequirements(base, requirements);
    const moved = withSnapshot(base, snapshot(2, 2));
    assert.throws(() => checkRequirements(moved, requirements), { kind: 'commit_conflict' });
    assert.throws(() => checkRequirements(undefined, requirements), { kind: 'commit_conflict' });
  });

  it('is found in a table in which it was done, and in no other', () => {
    for (const step of Object.values(steps)) {
      const next = step(first);
      assert.equal(containsChange(next, first, next), true);
      assert.equal(containsChange(withProperties(next, { later: '1' }), first, next), true);
      assert.equal(containsChange({ ...next, 'table-uuid': 'another' }, first, next), false);
    }
    const added = steps['a snapshot with its checkpoint']!(first);
    assert.equal(containsChange(first, first, added), false);
    assert.equal(containsChange(withSnapshot(first, snapshot(7, 1)), first, added), false);
    const marked = steps['new properties']!(first);
    assert.equal(containsChange(withProperties(marked, { a: '2' }), first, marked), false);
  });
});
