import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pool, PoolClient } from 'pg';
import { Failure } from '../errors.ts';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}

const FOLDER = fileURLToPath(new URL('migrations', import.meta.url));

/** All migrations in order; throws when two have one number or a file is not named `NNNN_name.sql`. */
export async function readMigrations(folder: string = FOLDER): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  const migrations = await Promise.all(
    names.map(async (file) => {
      const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file);
      if (!match) throw new Failure('internal', `the migration ${file} is not named NNNN_name.sql`);
      const text = (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n');
      const checksum = createHash('sha256').update(text).digest('hex');
      return { number: Number(match[1]), name: match[2]!, checksum, sql: text };
    }),
  );
  const double = migrations.find((migration, index) => migrations[index - 1]?.number === migration.number);
  if (double) throw new Failure('internal', `two migrations have the number ${double.number}`);
  return migrations;
}

const TABLE = `create table if not exists store_migration (
  number integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
)`;

/**
 * Brings the schema to the state of `migrations`. Each migration is one transaction, which first takes the lock of the
 * migration table: several processes may call this at once. Refuses, before changing anything, an applied migration
 * whose text has changed and a database that knows migrations which this version does not.
 */
export async function migrate(pool: Pool, migrations: readonly Migration[]): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await createTable(client);
    while (await applyNext(client, migrations));
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Two processes that create it at once collide in the catalog: the loser looks again. */
async function createTable(client: PoolClient): Promise<void> {
  try {
    await client.query(TABLE);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== '23505' && code !== '42P07') throw error;
    await client.query(TABLE);
  }
}

async function applyNext(client: PoolClient, migrations: readonly Migration[]): Promise<boolean> {
  await client.query('begin');
  try {
    await client.query('lock table store_migration in share row exclusive mode');
    const next = await findNext(client, migrations);
    if (next) {
      const { number, name, checksum } = next;
      await client.query('insert into store_migration (number, name, checksum) values ($1, $2, $3)', [
        number,
        name,
        checksum,
      ]);
      await client.query(next.sql);
    }
    await client.query('commit');
    return next !== undefined;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function findNext(client: PoolClient, migrations: readonly Migration[]): Promise<Migration | undefined> {
  const { rows } = await client.query<{ number: number; name: string; checksum: string }>(
    'select number, name, checksum from store_migration order by number',
  );
  for (const applied of rows) {
    const ours = migrations.find((migration) => migration.number === applied.number);
    const label = `${String(applied.number).padStart(4, '0')}_${applied.name}`;
    if (!ours) {
      throw new Failure(
        'configuration_invalid',
        `the database is newer than this Penstock: it has migration ${label}`,
        {
          advice: 'Start the version of Penstock that wrote it, or a newer one.',
        },
      );
    }
    if (ours.checksum !== applied.checksum) {
      throw new Failure('configuration_invalid', `migration ${label} was changed after it had been applied`, {
        advice: 'Restore its text and put the change into a new migration.',
      });
    }
  }
  const done = new Set(rows.map((row) => row.number));
  return migrations.find((migration) => !done.has(migration.number));
}
