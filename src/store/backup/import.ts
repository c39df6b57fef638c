import type { PoolClient } from 'pg';
import { Failure } from '../../errors.ts';
import type { Store } from '../types.ts';
import { openArchive } from './archive.ts';
import type { ArchiveReader } from './archive.ts';
import { copyIn } from './copy.ts';
import { FIXED_FORMS, FORMAT } from './export.ts';
import type { Header, RowCounts, Trailer } from './export.ts';
import { labelOf, quoted, readTables, readVersion } from './tables.ts';
import type { TableShape } from './tables.ts';

export interface RestoreOptions {
  /** Replaces what the database holds; without it a database with content is refused. */
  readonly force?: boolean;
}

/**
 * Replaces the content of the database by that of a backup, in one transaction: all of it or nothing. The schema must
 * be of the same version (and the queue installed, if the backup has one); nothing else may use the database meanwhile.
 * Throws `unprocessable` for a damaged file and `conflict` for a database that does not fit.
 */
export async function restore(store: Store, file: string, options: RestoreOptions = {}): Promise<RowCounts> {
  const archive = openArchive(file);
  let client: PoolClient | undefined;
  let broken: Error | undefined;
  try {
    const header = readHeader(await archive.json(), file);
    client = await store.pool.connect();
    await client.query('begin');
    await client.query(FIXED_FORMS);
    await requireFit(client, header);
    if (!options.force) await requireEmpty(client, header.tables);
    const rows = await fill(client, archive, header);
    await client.query('commit');
    return rows;
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    // A connection that is closed inside a transaction rolls it back.
    client?.release(broken);
    await archive.close();
  }
}

function readHeader(value: unknown, file: string): Header {
  const header = value as Partial<Header> | null;
  if (header?.format !== FORMAT) throw new Failure('unprocessable', `${file} is not a backup of Penstock`);
  if (header.version !== 1) {
    throw new Failure('unprocessable', `${file} is of a backup format that this Penstock does not know`, {
      advice: 'Restore it with the version of Penstock that wrote it, or a newer one.',
    });
  }
  return header as Header;
}

async function requireFit(client: PoolClient, header: Header): Promise<void> {
  const present = await readVersion(client);
  const advice = 'Restore with the version of Penstock that wrote the backup, then start the newer one.';
  if (JSON.stringify(present.migrations) !== JSON.stringify(header.schema.migrations)) {
    throw new Failure('conflict', 'the backup is of another schema version than the database', { advice });
  }
  if (header.schema.queue !== null && header.schema.queue !== present.queue) {
    throw new Failure('conflict', 'the backup is of another version of the queue than the database', { advice });
  }
  const shapes = new Map((await readTables(client)).map((table) => [labelOf(table), table.columns.join()]));
  const misfit = header.tables.find((table) => shapes.get(labelOf(table)) !== table.columns.join());
  if (misfit) throw new Failure('conflict', `the table ${labelOf(misfit)} of the backup does not fit the database`);
}

/** The queue's own tables are not asked: they hold rows as soon as they are installed. */
async function requireEmpty(client: PoolClient, tables: readonly TableShape[]): Promise<void> {
  for (const table of tables.filter(({ schema }) => schema === 'public')) {
    const found = await client.query(`select 1 from ${quoted(table)} limit 1`);
    if (found.rowCount === 0) continue;
    throw new Failure('conflict', `the database is not empty: ${table.name} has rows`, {
      advice: 'Restore into an empty data folder or database, or repeat with --force to replace what is there.',
    });
  }
}

async function fill(client: PoolClient, archive: ArchiveReader, header: Header): Promise<RowCounts> {
  await client.query(`truncate ${header.tables.map(quoted).join(', ')}`);
  const rows: Record<string, number> = {};
  for (const table of header.tables) {
    const text = `copy ${quoted(table)} (${table.columns.join(', ')}) from stdin`;
    rows[labelOf(table)] = await copyIn(client, text, archive.table());
  }
  const checksum = archive.checksum();
  const trailer = (await archive.json()) as Partial<Trailer>;
  const isWhole =
    trailer.sha256 === checksum && JSON.stringify(trailer.rows) === JSON.stringify(rows) && (await archive.isAtEnd());
  if (!isWhole) throw new Failure('unprocessable', 'the backup is damaged: its content does not match its checksum');
  for (const { name, next } of trailer.sequences ?? []) {
    await client.query(`alter sequence ${name} restart with ${BigInt(next)}`);
  }
  return rows;
}
