import { Failure } from '../../../errors.ts';
import type { Query } from '../catalog.ts';
import { quoteText } from '../select.ts';
import { parseLsn } from './lsn.ts';
import { remedied } from './remedy.ts';

/** A replication slot as the server describes it. */
export interface Slot {
  readonly name: string;
  readonly plugin: string;
  readonly isLogical: boolean;
  readonly database: string;
  /** Process that reads it now. */
  readonly reader: string | null;
  /** Null while the slot is being made. */
  readonly confirmed: bigint | null;
  /** Why it cannot be read any more. */
  readonly lost: string | null;
}

export async function findSlot(query: Query, name: string): Promise<Slot | undefined> {
  // Newer servers know more columns: they are read by name where they exist.
  const rows = await query(
    `select s.plugin, s.slot_type, s.database, s.active_pid, s.confirmed_flush_lsn,
       coalesce(pg_catalog.to_jsonb(s) ->> 'invalidation_reason',
         case when pg_catalog.to_jsonb(s) ->> 'wal_status' = 'lost' then 'wal_removed'
              when pg_catalog.to_jsonb(s) ->> 'conflicting' = 'true' then 'conflict with recovery' end)
     from pg_catalog.pg_replication_slots s where s.slot_name = ${quoteText(name)}`,
  );
  const [row] = rows;
  if (!row) return undefined;
  const [plugin, type, database, reader, confirmed, lost] = row;
  return {
    name,
    plugin: plugin ?? '',
    isLogical: type === 'logical',
    database: database ?? '',
    reader: reader ?? null,
    confirmed: confirmed == null ? null : parseLsn(confirmed),
    lost: lost ?? null,
  };
}

export const createSlotSql = (name: string): string =>
  `SELECT pg_create_logical_replication_slot(${quoteText(name)}, 'pgoutput')`;
const dropSlotSql = (name: string): string => `SELECT pg_drop_replication_slot(${quoteText(name)})`;

/** The slot, when the changes of `database` can be read from it. */
export function requireSlot(slot: Slot | undefined, name: string, database: string): Slot & { confirmed: bigint } {
  if (!slot) {
    throw remedied(
      'object_missing',
      `the replication slot "${name}" does not exist`,
      `Run in the database "${database}": ${createSlotSql(name)}; streams that were read before must be loaded anew.`,
    );
  }
  if (!slot.isLogical) {
    throw remedied(
      'configuration_invalid',
      `the replication slot "${name}" is a physical one`,
      `Name another slot, or make a logical one: ${createSlotSql(`${name}_changes`)}`,
    );
  }
  if (slot.plugin !== 'pgoutput') {
    throw remedied(
      'configuration_invalid',
      `the replication slot "${name}" uses the plugin "${slot.plugin}"; only pgoutput is read`,
      `Make it anew: ${dropSlotSql(name)}; ${createSlotSql(name)}`,
    );
  }
  if (slot.database !== database) {
    throw remedied(
      'configuration_invalid',
      `the replication slot "${name}" belongs to the database "${slot.database}", not to "${database}"`,
      `Name another slot, or make one in "${database}": ${createSlotSql(`${name}_${database}`)}`,
    );
  }
  if (slot.lost !== null) {
    throw remedied(
      'object_missing',
      `the replication slot "${name}" is lost (${slot.lost}): the server has removed log that was not read yet`,
      `Run: ${dropSlotSql(name)}; ${createSlotSql(name)}; then load the streams anew. A larger max_slot_wal_keep_size keeps more log.`,
    );
  }
  if (slot.confirmed === null) {
    throw new Failure('unreachable', `the replication slot "${name}" is still being made: it waits for transactions`);
  }
  return { ...slot, confirmed: slot.confirmed };
}
