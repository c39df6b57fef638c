import type { World } from '../../world.ts';
import type { Store } from '../types.ts';
import { createArchive } from './archive.ts';
import type { ArchiveWriter } from './archive.ts';
import { copyOut } from './copy.ts';
import { labelOf, quoted, readSequences, readTables, readVersion } from './tables.ts';
import type { SchemaVersion, SequenceValue, TableShape } from './tables.ts';
import type { PoolClient } from 'pg';

export const FORMAT = 'penstock-backup';

export interface Header {
  readonly format: typeof FORMAT;
  readonly version: 1;
  readonly createdAt: string;
  readonly schema: SchemaVersion;
  readonly tables: readonly TableShape[];
}

export interface Trailer {
  readonly rows: Readonly<Record<string, number>>;
  readonly sequences: readonly SequenceValue[];
  readonly sha256: string;
}

/** Rows per table, by `schema.table`. */
export type RowCounts = Readonly<Record<string, number>>;

/** Text forms that do not depend on the server's or the role's settings. */
export const FIXED_FORMS =
  "set local datestyle = 'ISO, YMD'; set local timezone = 'UTC'; set local intervalstyle = 'iso_8601'; set local bytea_output = 'hex'; set local search_path = public";

/**
 * Writes the whole content of the database, as of one moment, into one file; work goes on meanwhile. The file appears
 * under its name only when it is complete. Memory does not grow with the data.
 */
export async function backup(store: Store, file: string, world: World): Promise<RowCounts> {
  const client = await store.pool.connect();
  const archive = createArchive(file);
  let broken: Error | undefined;
  try {
    await client.query('begin isolation level repeatable read read only');
    await client.query(FIXED_FORMS);
    const rows = await writeContent(client, archive, world);
    await client.query('commit');
    return rows;
  } catch (error) {
    broken = error as Error;
    await archive.abort();
    throw error;
  } finally {
    client.release(broken);
  }
}

async function writeContent(client: PoolClient, archive: ArchiveWriter, world: World): Promise<RowCounts> {
  const tables = await readTables(client);
  const header: Header = {
    format: FORMAT,
    version: 1,
    createdAt: world.now().toISOString(),
    schema: await readVersion(client),
    tables,
  };
  await archive.block(Buffer.from(JSON.stringify(header)));
  const rows: Record<string, number> = {};
  for (const table of tables) {
    const text = `copy (select ${table.columns.join(', ')} from ${quoted(table)}) to stdout`;
    rows[labelOf(table)] = await copyOut(client, text, (piece) => archive.block(piece));
    await archive.block(Buffer.alloc(0));
  }
  await archive.finish({ rows, sequences: await readSequences(client) });
  return rows;
}
