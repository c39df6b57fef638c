import { findSnapshot } from '../../iceberg/metadata.ts';
import type { TableMetadata } from '../../iceberg/model.ts';
import { sameSchema } from '../../iceberg/schema.ts';
import { specEssence } from './apply-shape.ts';
import type { TableChange, TableRequirement, TableUpdate } from './protocol.ts';

/**
 * What a catalog has to be told to make `next` of `base`. The requirements name the base's snapshot even when only
 * properties change, so that a commit that arrives late never lands behind another one.
 */
export function describeChange(base: TableMetadata, next: TableMetadata): TableChange {
  const schema = schemaUpdates(base, next);
  const spec = specUpdates(base, next);
  const requirements: TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: base['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': base['current-snapshot-id'] ?? null },
  ];
  if (schema.length > 0) {
    requirements.push(
      { type: 'assert-current-schema-id', 'current-schema-id': base['current-schema-id'] },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': base['last-column-id'] },
    );
  }
  if (spec.length > 0) {
    requirements.push(
      { type: 'assert-default-spec-id', 'default-spec-id': base['default-spec-id'] },
      { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': base['last-partition-id'] },
    );
  }
  const location: TableUpdate[] =
    base.location === next.location ? [] : [{ action: 'set-location', location: next.location }];
  return {
    requirements,
    updates: [...location, ...schema, ...spec, ...snapshotUpdates(base, next), ...propertyUpdates(base, next)],
  };
}

/** Ids of schemas and specs are the catalog's to give: what was added last is meant by -1. */
const LAST_ADDED = -1;

function schemaUpdates(base: TableMetadata, next: TableMetadata): TableUpdate[] {
  const known = new Set(base.schemas.map((one) => one['schema-id']));
  const current = next['current-schema-id'];
  const added = next.schemas.filter((one) => !known.has(one['schema-id']));
  const ordered = added.toSorted((a, b) => Number(a['schema-id'] === current) - Number(b['schema-id'] === current));
  const updates: TableUpdate[] = ordered.map((schema) => ({
    action: 'add-schema',
    schema,
    'last-column-id': next['last-column-id'],
  }));
  if (current !== base['current-schema-id']) {
    updates.push({ action: 'set-current-schema', 'schema-id': known.has(current) ? current : LAST_ADDED });
  }
  return updates;
}

function specUpdates(base: TableMetadata, next: TableMetadata): TableUpdate[] {
  const known = new Set(base['partition-specs'].map((one) => one['spec-id']));
  const chosen = next['default-spec-id'];
  const added = next['partition-specs'].filter((one) => !known.has(one['spec-id']));
  const ordered = added.toSorted((a, b) => Number(a['spec-id'] === chosen) - Number(b['spec-id'] === chosen));
  const updates: TableUpdate[] = ordered.map((spec) => ({ action: 'add-spec', spec }));
  if (chosen !== base['default-spec-id']) {
    updates.push({ action: 'set-default-spec', 'spec-id': known.has(chosen) ? chosen : LAST_ADDED });
  }
  return updates;
}

function snapshotUpdates(base: TableMetadata, next: TableMetadata): TableUpdate[] {
  const updates: TableUpdate[] = next.snapshots
    .filter((one) => !findSnapshot(base, one['snapshot-id']))
    .map((snapshot) => ({ action: 'add-snapshot', snapshot }));
  for (const [name, ref] of Object.entries(next.refs)) {
    if (base.refs[name]?.['snapshot-id'] !== ref['snapshot-id']) {
      updates.push({ action: 'set-snapshot-ref', 'ref-name': name, ...ref });
    }
  }
  for (const name of Object.keys(base.refs)) {
    if (!next.refs[name]) updates.push({ action: 'remove-snapshot-ref', 'ref-name': name });
  }
  const removed = base.snapshots.filter((one) => !findSnapshot(next, one['snapshot-id']));
  if (removed.length > 0) {
    updates.push({ action: 'remove-snapshots', 'snapshot-ids': removed.map((one) => one['snapshot-id']) });
  }
  return updates;
}

function propertyUpdates(base: TableMetadata, next: TableMetadata): TableUpdate[] {
  const set = Object.entries(next.properties).filter(([key, value]) => base.properties[key] !== value);
  const removals = Object.keys(base.properties).filter((key) => next.properties[key] === undefined);
  return [
    ...(set.length > 0 ? [{ action: 'set-properties', updates: Object.fromEntries(set) }] : []),
    ...(removals.length > 0 ? [{ action: 'remove-properties', removals }] : []),
  ];
}

/**
 * Whether a table shows that the step from `base` to `next` was made: it has the snapshots that the step adds; a step
 * without snapshots left its properties, schema and specs.
 */
export function containsChange(table: TableMetadata, base: TableMetadata, next: TableMetadata): boolean {
  if (table['table-uuid'] !== base['table-uuid']) return false;
  const added = next.snapshots.filter((one) => !findSnapshot(base, one['snapshot-id']));
  if (added.length > 0) return added.every((one) => findSnapshot(table, one['snapshot-id']) !== undefined);
  const { updates } = describeChange(base, next);
  return updates.every((update) => isContained(table, update, next));
}

function isContained(table: TableMetadata, update: TableUpdate, next: TableMetadata): boolean {
  switch (update.action) {
    case 'set-properties':
      return Object.entries(update['updates'] as object).every(([key, value]) => table.properties[key] === value);
    case 'remove-properties':
      return (update['removals'] as readonly string[]).every((key) => table.properties[key] === undefined);
    case 'add-schema':
      return next.schemas.every((wanted) => table.schemas.some((one) => sameSchema(one, wanted)));
    case 'add-spec':
      return next['partition-specs'].every((wanted) =>
        table['partition-specs'].some((one) => specEssence(one) === specEssence(wanted)),
      );
    case 'remove-snapshots':
      return (update['snapshot-ids'] as readonly (number | bigint)[]).every((id) => !findSnapshot(table, id));
    case 'set-location':
      return table.location === next.location;
    default:
      return true;
  }
}
