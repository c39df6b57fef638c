import type { ConnectorContext, StreamSelection } from '../../kit/index.ts';
import type { ChangesConfig, PostgresConfig } from '../config.ts';
import type { Query } from '../catalog.ts';
import { quoteName, quoteRelation, quoteText } from '../select.ts';
import { findPublication } from './publication.ts';
import { createSlotSql, findSlot } from './slot.ts';

export interface LogCheck {
  readonly config: PostgresConfig;
  readonly changes: ChangesConfig;
  readonly log: ConnectorContext['log'];
  /** None when only the connection is tested. */
  readonly streams: readonly StreamSelection[];
  readonly signal: AbortSignal;
}

/**
 * Makes the publication, adds the tables that it lacks, and makes the slot: in this order, because a slot reads only publications
 * that were there before it. Needs the rights of the tables' owner.
 */
export async function createMissing(query: Query, { changes, streams, log }: LogCheck): Promise<void> {
  const name = quoteName(changes.publication);
  const tables = streams.map((stream) => quoteRelation(stream));
  const publication = await findPublication(query, changes.publication);
  const missing = publication ? await findMissing(query, changes.publication, tables) : tables;
  if (!publication) {
    const [version] = await query('show server_version_num');
    // Before PostgreSQL 13 partitioned tables are not published at all.
    const viaRoot = Number(version?.[0]) >= 130_000 ? ' with (publish_via_partition_root = true)' : '';
    await write(query, `create publication ${name} for table ${tables.join(', ')}${viaRoot}`);
    log({ level: 'info', message: `created the publication "${changes.publication}" for ${tables.join(', ')}` });
  } else if (missing.length > 0 && !publication.isForAll) {
    // Transactions that have written already would stay unpublished: the lock waits for them.
    const list = missing.join(', ');
    await write(
      query,
      `set local lock_timeout = '60s'; lock table ${list} in share mode; alter publication ${name} add table ${list}`,
    );
    log({ level: 'info', message: `added ${list} to the publication "${changes.publication}"` });
  }
  if (await findSlot(query, changes.slot)) return;
  await query(createSlotSql(changes.slot));
  log({ level: 'info', message: `created the replication slot "${changes.slot}"` });
}

async function write(query: Query, sql: string): Promise<void> {
  try {
    await query(`begin read write; ${sql}; commit`);
  } catch (error) {
    await query('rollback').catch(() => undefined);
    throw error;
  }
}

async function findMissing(query: Query, publication: string, tables: readonly string[]): Promise<string[]> {
  const rows = await query(
    `select t.schemaname, t.tablename
     from pg_catalog.pg_publication_tables t where t.pubname = ${quoteText(publication)}`,
  );
  const present = new Set(
    rows.map(([namespace, name]) => quoteRelation({ namespace: namespace ?? '', name: name ?? '' })),
  );
  return tables.filter((table) => !present.has(table));
}
