import type { OpenConnection } from '../../src/sync/attempt/work.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';

/** A PostgreSQL server whose change log can be read, with a slot that tests can put back to where it was. */
export interface LogSource extends TestSource {
  readonly connection: OpenConnection;
  /** Keeps where the slot stands; the answer puts it back there, as often as wanted. */
  saveSlot(): Promise<() => Promise<void>>;
  /** How far the source keeps its log for us, as `X/Y`. */
  confirmed(): Promise<string>;
}

const SLOT = 'lake';
const PUBLICATION = 'lake_tables';

export async function startLogSource(settings: Record<string, string> = {}): Promise<LogSource> {
  const source = await startTestSource({ settings: { wal_level: 'logical', ...settings } });
  let saved = 0;
  return {
    ...source,
    connection: {
      type: 'postgres',
      config: {
        ...source.config,
        update_method: { type: 'CDC', replication_slot: SLOT, publication: PUBLICATION, initial_wait_time: 120 },
      },
    },
    async saveSlot() {
      const kept = `kept_${++saved}`;
      await source.run(`select pg_copy_logical_replication_slot('${SLOT}', '${kept}')`);
      return async () => {
        await source.run(`select pg_drop_replication_slot('${SLOT}')`);
        await source.run(`select pg_copy_logical_replication_slot('${kept}', '${SLOT}')`);
      };
    },
    async confirmed() {
      const [row] = await source.run(
        `select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = '${SLOT}'`,
      );
      return String(row!['lsn']);
    },
  };
}

/** Publication of all tables, and the slot: what an operator makes once (OLake contract, section 7.4). */
export async function publish(source: TestSource): Promise<void> {
  await source.run(`create publication ${PUBLICATION} for all tables`);
  await source.run(`select pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
}

/** A table of one kind of each change: `orders` as the crash tests of rows read it, in one piece. */
export async function createFollowed(source: TestSource, rows: number): Promise<void> {
  await source.run(
    `create table orders (id bigint primary key, name text, amount numeric(10,2), at timestamptz not null);
     insert into orders select i, 'name ' || i, i / 7.0, '2026-01-01Z'::timestamptz + (i / 10) * interval '1 second'
       from generate_series(1, ${rows}) as i`,
  );
}
