import { Failure } from '../../errors.ts';
import type { CommitPorts } from './committer.ts';
import { createCommitter } from './committer.ts';
import { currentSchema, withSchema } from './metadata.ts';
import type { IcebergField } from './model.ts';
import { createFileNames } from './names.ts';

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
