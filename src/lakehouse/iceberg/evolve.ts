import { Failure } from '../../errors.ts';
import type { CommitPorts } from './committer.ts';
import { createCommitter } from './committer.ts';
import { currentSchema, findSpec, withSchema } from './metadata.ts';
import type { IcebergField, PartitionSpec, TableMetadata } from './model.ts';
import { createFileNames } from './names.ts';
import type { TableShape } from './open.ts';
import { withShape } from './open.ts';

/** What opening a table for a stream would change about it. */
export type TableChange =
  | { readonly kind: 'added'; readonly column: string; readonly type: string }
  | { readonly kind: 'widened'; readonly column: string; readonly from: string; readonly to: string }
  /** A required column may be null from now on. */
  | { readonly kind: 'relaxed'; readonly column: string }
  /** The stream lacks the column: it stays, null in new rows. */
  | { readonly kind: 'missing'; readonly column: string }
  /** New files are partitioned otherwise; files that are there stay as they are. */
  | { readonly kind: 'repartitioned'; readonly from: string; readonly to: string }
  /** The opening would fail, for this reason. */
  | { readonly kind: 'refused'; readonly reason: string };

/** The changes that `openIcebergTable` would commit for this shape, in the order of columns; none when it fits as it is. */
export function describeChanges(metadata: TableMetadata, shape: TableShape): readonly TableChange[] {
  const before = currentSchema(metadata);
  const present = new Set(shape.columns.map((column) => column.name));
  const missing = before.fields
    .filter((field) => !present.has(field.name))
    .map((field): TableChange => ({ kind: 'missing', column: field.name }));
  let next: TableMetadata;
  try {
    next = withShape(metadata, shape);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'configuration_invalid') throw error;
    return [...missing, { kind: 'refused', reason: error.message }];
  }
  const older = new Map(before.fields.map((field) => [field.id, field]));
  const changed = currentSchema(next).fields.flatMap((field) => compareField(older.get(field.id), field));
  const [from, to] = [metadata, next].map((one) => specText(findSpec(one, one['default-spec-id'])));
  const partition: TableChange[] = from === to ? [] : [{ kind: 'repartitioned', from: from!, to: to! }];
  return [...changed, ...missing, ...partition];
}

function compareField(before: IcebergField | undefined, after: IcebergField): TableChange[] {
  const { name: column } = after;
  if (!before) return [{ kind: 'added', column, type: String(after.type) }];
  const changes: TableChange[] = [];
  if (before.type !== after.type) {
    changes.push({ kind: 'widened', column, from: String(before.type), to: String(after.type) });
  }
  if (before.required && !after.required) changes.push({ kind: 'relaxed', column });
  return changes;
}

const specText = ({ fields }: PartitionSpec): string =>
  fields.map((field) => `/{${field.name}, ${field.transform}}`).join('');

const LONGEST_NAME = 255;

/**
 * Gives a column another name in one commit. Its field id stays, so that readers find its values in older files, too; a
 * stream that brings the new name goes on with the column. False when there is no such table.
 */
export async function renameColumn(
  ports: CommitPorts,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<boolean> {
  const start = await ports.catalog.load(ports.name);
  if (!start) return false;
  const { location } = start.metadata;
  const names = createFileNames(ports.world, { location, checkpointKey: 'penstock/rename/table', run: 'rename' });
  await createCommitter(ports, names, start).commit(async ({ metadata }) => {
    const schema = currentSchema(metadata);
    const fields = renamed(schema.fields, from, to);
    return { metadata: withSchema(metadata, { ...schema, fields }, metadata['last-column-id']), written: [] };
  });
  return true;
}

function renamed(fields: readonly IcebergField[], from: string, to: string): IcebergField[] {
  if (!fields.some((field) => field.name === from)) {
    throw new Failure('object_missing', `The table has no column "${from}".`);
  }
  if (to === '' || to.length > LONGEST_NAME || fields.some((field) => field.name === to)) {
    throw new Failure(
      'configuration_invalid',
      `The column "${from}" cannot be called "${to.slice(0, LONGEST_NAME)}".`,
      {
        advice: 'Choose a name of 1 to 255 characters that no other column of the table has.',
      },
    );
  }
  return fields.map((field) => (field.name === from ? { ...field, name: to } : field));
}
