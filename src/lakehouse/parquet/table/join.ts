import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import type { TableLayout } from './layout.ts';
import { isOurFile, layoutOf } from './layout.ts';
import type { ManifestColumn, ManifestFile } from './manifest.ts';
import type { ParquetTable } from './table.ts';
import type { UnitTarget } from './unit.ts';

/** How a writer elsewhere takes part in this opening of a table; JSON. */
export interface ParquetTicket {
  readonly streamStaging: string;
  readonly openStaging: string;
  readonly schema: readonly ManifestColumn[];
}

/** What a writer elsewhere needs to know of this opening. */
export function issueParquetTicket({ layout, manifest }: ParquetTable): ParquetTicket {
  return { streamStaging: layout.streamStaging, openStaging: layout.openStaging, schema: manifest.schema };
}

/**
 * Where a writer that joins puts its files: into the opening's own staging folder, which goes with the opening. Reads and
 * recovers nothing.
 */
export function joinParquetTable(world: World, folder: string, ticket: ParquetTicket): UnitTarget {
  const { streamStaging, openStaging, schema } = ticket;
  const fits = [streamStaging, openStaging].every((path) => path.startsWith('_staging/') && !path.includes('..'));
  if (!fits) throw new Failure('internal', 'The ticket of a table names a folder outside of its staging.');
  return { layout: layoutOf(world, folder, { streamStaging, openStaging }), manifest: { schema } };
}

/** The files of a unit that a joined writer sealed; refuses what does not lie in this opening's staging. */
export function adoptParquetFiles(layout: TableLayout, files: readonly ManifestFile[]): readonly ManifestFile[] {
  for (const { path, staged } of files) {
    const isHere = staged !== undefined && staged === layout.stagedPath(path);
    if (!isHere || !isOurFile(path) || path.split('/').includes('..')) {
      throw new Failure('internal', 'A sealed unit was written for another opening of the table.');
    }
  }
  return files;
}
