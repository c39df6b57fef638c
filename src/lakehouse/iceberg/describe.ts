import type { Column } from '../../columns/index.ts';
import { currentSchema } from './metadata.ts';
import type { TableMetadata } from './model.ts';
import { columnType } from './schema.ts';

/** The columns of the table as it is now; those of types that Penstock does not write are left out. */
export function describeColumns(metadata: TableMetadata): Column[] {
  return currentSchema(metadata).fields.flatMap(({ name, required, type }) => {
    const known = columnType(type);
    return known ? [{ name, type: known, nullable: !required }] : [];
  });
}
