import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { Failure } from '../../errors.ts';
import { findLakeNames, LAKE, type Definition } from './lake-names.ts';
import { showLakeTable } from './lake-views.ts';
import { readExactRows } from './exact-rows.ts';
import type { TableName } from '../../lakehouse/index.ts';
import type { EmbeddedPlace, SqlWork, StagedTable } from './work.ts';

/** How long the process of a lost attempt may take to let go of the database. */
const LOCK_PATIENCE_MS = 12_000;
const LOCK_PAUSE_MS = 250;

/**
 * Opens the database of the project; waits a little for a process that still holds it. The folder of the run is there then,
 * empty; those of others are gone, because nobody but this process has the database.
 */
export async function openDatabase(place: EmbeddedPlace): Promise<DuckDBInstance> {
  const end = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      const instance = await createInstance(place);
      await rm(dirname(place.folder), { recursive: true, force: true });
      await mkdir(place.folder, { recursive: true, mode: 0o700 });
      return instance;
    } catch (error) {
      const { message } = error as Error;
      if (!/could not set lock/i.test(message) || performance.now() > end) {
        throw new Failure('storage_failed', `The embedded database cannot be opened: ${message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
  }
}

function createInstance({ file, folder, memoryMb, threads }: EmbeddedPlace): Promise<DuckDBInstance> {
  return DuckDBInstance.create(file, {
    threads: String(threads),
    memory_limit: `${memoryMb}MB`,
    temp_directory: `${folder}/spilled`,
    max_temp_directory_size: '10GB',
    extension_directory: `${folder}/extensions`,
    secret_directory: `${folder}/secrets`,
    allow_persistent_secrets: 'false',
    allow_community_extensions: 'false',
    allow_unsigned_extensions: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    // The plan as it is bound, before the optimiser takes away what lineage is read from.
    explain_output: 'all',
  });
}

/** The lake tables that the statements of a run see. */
export interface Lake {
  readonly tables: readonly StagedTable[];
  /** Views and macros of the project, which may stand for lake tables. */
  readonly definitions: readonly Definition[];
}

export type AskTables = (names: readonly TableName[]) => Promise<readonly StagedTable[]>;

/**
 * Shows the lake tables that the statements name as views of a database that is there for this run only, and that nobody
 * can write.
 */
export async function showLake(
  connection: DuckDBConnection,
  work: Pick<SqlWork, 'statements'> & { readonly at: EmbeddedPlace },
  askTables: AskTables,
): Promise<Lake> {
  const file = `'${`${work.at.folder}/lake.duckdb`.replaceAll("'", "''")}'`;
  await connection.run("set timezone = 'UTC'");
  await connection.run(`attach ${file} as ${LAKE}`);
  const definitions = await readDefinitions(connection);
  const names = findLakeNames(work.statements, definitions);
  const tables = names.length === 0 ? [] : await askTables(names);
  for (const [at, table] of tables.entries()) await showLakeTable(connection, table, lakeMark(work.at, at));
  await connection.run(`detach ${LAKE}`);
  await connection.run(`attach ${file} as ${LAKE} (read_only)`);
  return { tables, definitions };
}

/** Stands in the view of a lake table, and so in the plan of each statement that reads it. */
export function lakeMark({ mark }: Pick<EmbeddedPlace, 'mark'>, at: number): string {
  return `penstock:${mark}/${at};`;
}

async function readDefinitions(connection: DuckDBConnection): Promise<Definition[]> {
  const { rows } = await readExactRows(
    await connection.run(`
      select view_name as name, sql from duckdb_views() where not internal
      union all
      select function_name, macro_definition from duckdb_functions() where not internal and macro_definition is not null`),
  );
  return rows.map(([name, sql]) => ({ name: String(name), sql: String(sql) }));
}

/** From here on nothing can be reached but the database and the files of the lake tables, and this cannot be undone. */
export async function closeDoors(connection: DuckDBConnection, { folder }: EmbeddedPlace): Promise<void> {
  const folders = `['${folder.replaceAll("'", "''")}/lake/']`;
  await connection.run(`set allowed_directories = ${folders}`);
  await connection.run('set enable_external_access = false');
  await connection.run('set lock_configuration = true');
}
