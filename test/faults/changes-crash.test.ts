import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createFollowed, publish, startLogSource } from './changes-support.ts';
import type { LogSource } from './changes-support.ts';
import { killAtEveryPoint } from './crash-support.ts';
import { testKills } from './points.ts';
import { createJob } from './sync-support.ts';
import { lakeRows, newestRows, sourceRows } from './support/orders.ts';
import type { Destination, JobOptions, LakeJob } from './sync-support.ts';

const DESTINATIONS: readonly Destination[] = ['parquet', 'iceberg'];

let source: LogSource;

before(async () => {
  source = await startLogSource();
  await createFollowed(source, 600);
  await publish(source);
});
after(() => source.stop());

let changes = 0;

/** Inserts, updates, deletes, moves a key, and changes one row twice, in several transactions. */
async function changeSource(): Promise<void> {
  changes++;
  const base = 10_000 + changes * 100;
  await source.run(
    `begin; insert into orders select ${base} + i, 'new', i, '2026-02-01Z' from generate_series(1, 20) as i;
     update orders set name = 'changed ${changes}' where id between 11 and 15; commit`,
  );
  await source.run(`delete from orders where id = ${20 + changes}`);
  await source.run(`update orders set id = ${base} where id = ${100 + changes}`);
  await source.run(`update orders set amount = amount + 1 where id = 11`);
  await source.run(`begin; insert into orders values (${base + 50}, 'gone', 1, now()); rollback`);
}

/** Rows that are not marked as deleted; of append-only tables the newest of each. */
function liveRows(rows: Awaited<ReturnType<LakeJob['read']>>, destination: Destination): string[] {
  const live = destination === 'parquet' ? newestByPlace(rows) : rows;
  return lakeRows(live.filter((row) => row['_op_type'] !== 'd'));
}

/** Later places of the log win; loaded rows have none. */
function newestByPlace(rows: Awaited<ReturnType<LakeJob['read']>>): ReturnType<typeof newestRows> {
  const newest = new Map<string, (typeof rows)[number]>();
  const rank = (row: (typeof rows)[number]): bigint => {
    const [high = '0', low = '0'] = String(row['_cdc_lsn'] ?? '0/0').split('/');
    return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
  };
  for (const row of rows) {
    const id = String(row['_olake_id']);
    const other = newest.get(id);
    if (!other || rank(row) >= rank(other)) newest.set(id, row);
  }
  return [...newest.values()];
}

async function assertEqual(job: LakeJob, { destination }: JobOptions, place: string): Promise<void> {
  const rows = await job.read();
  if (destination === 'iceberg') {
    assert.equal(new Set(rows.map((row) => row['_olake_id'])).size, rows.length, `${place}: a row twice`);
  } else {
    const events = rows.map((row) =>
      [row['_olake_id'], row['_cdc_lsn'], row['_op_type'], row['name'], row['amount']].join(),
    );
    assert.equal(new Set(events).size, events.length, `${place}: a change twice`);
  }
  assert.deepEqual(liveRows(rows, destination), await sourceRows(source), place);
  assert.deepEqual(await job.stagedFiles(), [], `${place}: leftovers`);
}

async function killEverywhere(options: JobOptions, prepare: (job: LakeJob) => Promise<void>): Promise<void> {
  const job = await createJob(source, options);
  try {
    await prepare(job);
    await killAtEveryPoint({
      job,
      check: (place) => assertEqual(job, options, place),
      save: source.saveSlot,
      movesOn: true,
      kind: options.destination,
    });
  } finally {
    await job.remove();
  }
}

for (const destination of DESTINATIONS) {
  describe(`a sync of cdc to ${destination} that is killed`, () => {
    const options: JobOptions = {
      destination,
      mode: 'cdc',
      selection: { append_mode: destination === 'parquet' },
      get connection() {
        return source.connection;
      },
    };

    it('at any point of its first run, while rows change, ends equal to the source', async () => {
      await killEverywhere(options, async () => changeSource());
    });

    it('at any point of a later run ends with each change once', async () => {
      await killEverywhere(options, async (job) => {
        assert.equal((await job.attempt()).failure, undefined);
        await changeSource();
      });
    });
  });
}

testKills('changes-crash');
