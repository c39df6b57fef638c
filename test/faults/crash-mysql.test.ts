import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb } from '../support/mariadb.ts';
import type { TestMariadb } from '../support/mariadb.ts';
import { assertRows, latest } from './lake-checks.ts';
import { killAtEveryPoint } from './crash-support.ts';
import { testKills } from './points.ts';
import { createJob } from './sync-support.ts';
import { lakeRows } from './support/orders.ts';
import type { Destination, JobOptions, LakeJob } from './sync-support.ts';
import type { Row } from './support/lake-tables.ts';

let source: TestMariadb;

before(async () => {
  source = await startTestMariadb({ settings: { 'binlog-row-image': 'FULL' } });
  await source.run(
    `create table orders (id bigint primary key, name varchar(40), amount decimal(10,2), at datetime(3) not null);
     insert into orders select seq, concat('name ', seq), seq / 7, '2026-01-01' + interval (seq div 10) second
       from seq_1_to_300`,
  );
});
after(() => source?.stop());

let changes = 0;

/** Adds, changes, removes and moves rows, in several transactions; ties with the last cursor value included. */
async function changeSource(deletes: boolean): Promise<void> {
  changes++;
  const base = 10_000 + changes * 100;
  const at = `'2026-02-01' + interval ${changes} minute`;
  await source.run(
    `start transaction; insert into orders select ${base} + seq, 'new', seq, ${at} from seq_1_to_10;
     update orders set name = 'changed ${changes}', at = ${at} where id between 11 and 15; commit`,
  );
  if (!deletes) return;
  await source.run(`delete from orders where id = ${20 + changes};
    update orders set id = ${base} where id = ${100 + changes}; update orders set amount = amount + 1 where id = 11;
    start transaction; insert into orders values (${base + 50}, 'gone', 1, now()); rollback`);
}

async function sourceTexts(): Promise<string[]> {
  const rows = await source.run(
    `select concat_ws('|', id, name, amount, date_format(at, '%Y-%m-%dT%H:%i:%s.'), lpad(microsecond(at) div 1000, 3, '0'))
       as line from orders`,
  );
  return rows.map((row) => String(row['line']).replace(/\|(\d{3})$/, '$1Z')).toSorted();
}

/** Rows that are there: of append-only tables the newest of each, without those that were deleted. */
function liveRows(rows: readonly Row[], destination: Destination): string[] {
  const newest = destination === 'parquet' ? latest(rows, (row) => placeOf(row)) : rows;
  return lakeRows(newest.filter((row) => row['_op_type'] !== 'd'));
}

/** Later places of the log win; loaded rows have none. */
const placeOf = (row: Row): string =>
  `${String(row['_cdc_binlog_file_name'] ?? '')}/${String(row['_cdc_binlog_file_pos'] ?? 0).padStart(12, '0')}`;

async function assertEqual(job: LakeJob, { destination }: JobOptions, place: string): Promise<void> {
  const rows = await job.read();
  const marks = rows.map((row) =>
    destination === 'iceberg' ? row['_olake_id'] : [row['_olake_id'], placeOf(row), row['_op_type']].join(),
  );
  assert.equal(new Set(marks).size, rows.length, `${place}: a row twice`);
  assertRows(liveRows(rows, destination), await sourceTexts(), place);
}

describe('a sync of MySQL that is killed at any point ends equal to the source', () => {
  // What differs between destinations is tried with a PostgreSQL source; here it is what the source brings.
  for (const [mode, destination] of [
    ['full_refresh', 'iceberg'],
    ['incremental', 'iceberg'],
    ['cdc', 'iceberg'],
    ['cdc', 'parquet'],
  ] as const) {
    it(`${mode} to ${destination}`, async () => {
      const config = { ...source.config, update_method: mode === 'cdc' ? { type: 'CDC' } : { type: 'Standalone' } };
      const options: JobOptions = {
        destination,
        mode,
        connection: { type: 'mysql', config },
        selection: { append_mode: destination === 'parquet' },
      };
      const job = await createJob(source, options);
      try {
        const first = await job.attempt();
        assert.equal(first.failure, undefined, first.failure?.message);
        await changeSource(mode === 'cdc');
        await killAtEveryPoint({
          job,
          kind: destination,
          movesOn: mode !== 'full_refresh',
          check: (place) => assertEqual(job, options, place),
        });
      } finally {
        await job.remove();
      }
    });
  }
});

testKills('crash-mysql');
