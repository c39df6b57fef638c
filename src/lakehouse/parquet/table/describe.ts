import type { Column, ColumnType } from '../../../columns/index.ts';
import type { World } from '../../../world.ts';
import type { TableName } from '../../catalog/port.ts';
import type { Storage } from '../../storage/types.ts';
import { createManifestLog } from './log.ts';

/** The columns that the table in `folder` has now; undefined when nothing was committed there. */
export async function describeParquetTable(
  ports: { readonly storage: Storage; readonly world: World },
  folder: string,
  name: TableName,
): Promise<readonly Column[] | undefined> {
  const manifest = await createManifestLog(ports, folder, name).load();
  if (manifest.sequence === 0) return undefined;
  return manifest.schema.map((column) => ({ name: column.name, type: typeOf(column.type), nullable: column.nullable }));
}

/** The type that a word of the manifest names (`typeWord`). */
export function typeOf(word: string): ColumnType {
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(word);
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) };
  return { kind: word as Exclude<ColumnType['kind'], 'decimal'> };
}
