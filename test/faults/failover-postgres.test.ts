import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PairedPostgres, PostgresPair } from './support/postgres-pair.ts';
import { startPostgresPair } from './support/postgres-pair.ts';
import type { LakeJob } from './sync-support.ts';
import { createJob } from './sync-support.ts';

interface Followed {
  readonly pair: PostgresPair;
  readonly job: LakeJob;
  /** One run that must end well; its warnings. */
  sync(): Promise<readonly string[]>;
  /** Lets the address of the job lead to another server. */
  leadTo(server: PairedPostgres): void;
}

/** A job that has loaded a table from the primary, whose slot the standby can take over. */
async function follow(work: (followed: Followed) => Promise<void>): Promise<void> {
  const pair = await startPostgresPair();
  try {
    await pair.primary.run('create table orders (id int primary key, v int); insert into orders values (1, 1), (2, 2)');
    await pair.primary.run('create publication lake_tables for all tables');
    // The last word: a slot that standbys take over.
    await pair.primary.run(`select pg_create_logical_replication_slot('lake', 'pgoutput', false, false, true)`);
    const log = { type: 'CDC', replication_slot: 'lake', publication: 'lake_tables', initial_wait_time: 120 };
    const config = { ...pair.primary.config, update_method: log };
    const job = await createJob(pair.primary, {
      destination: 'iceberg',
      mode: 'cdc',
      connection: { type: 'postgres', config },
      // Every change stays a row of its own: one that came twice is seen.
      selection: { append_mode: true },
    });
    const sync = async (): Promise<readonly string[]> => {
      const { failure, lines } = await job.attempt();
      assert.equal(failure, undefined, failure?.message);
      return lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    };
    try {
      await sync();
      await work({ pair, job, sync, leadTo: ({ config: { port } }) => void Object.assign(config, { port }) });
    } finally {
      await job.remove();
    }
  } finally {
    await pair.remove();
  }
}

/** Brings the slot to the standby, where it stays once the two agree from where on they can read. */
async function copySlot({ pair, sync }: Followed): Promise<void> {
  for (let id = 1000; ; id++) {
    await pair.primary.run(`insert into orders values (${id}, 0); select pg_log_standby_snapshot()`);
    await sync();
    await pair.caughtUp();
    const [slot] = await pair.standby.run(
      `select temporary, synced from pg_replication_slots where slot_name = 'lake'`,
    );
    if (slot?.['temporary'] === false && slot['synced'] === true) return;
    assert.ok(id < 1200, 'the standby never takes the slot over');
  }
}

async function changesOf(job: LakeJob): Promise<string[]> {
  const rows = (await job.read()).filter((row) => Number(row['id']) < 1000);
  return rows.map((row) => `${String(row['_op_type'])} ${String(row['id'])} ${String(row['v'])}`).toSorted();
}

test('a job goes on from the PostgreSQL standby that was promoted, every change once', async () => {
  await follow(async (followed) => {
    const { pair, job, sync, leadTo } = followed;
    await copySlot(followed);
    // Read from the primary after the slot was copied: the standby's slot stands before it.
    await pair.primary.run('update orders set v = 10 where id = 1');
    assert.deepEqual(await sync(), []);
    // Read by nobody before the primary dies.
    await pair.primary.run('delete from orders where id = 2; insert into orders values (3, 3)');
    await pair.caughtUp();
    await pair.primary.kill();
    await pair.standby.run('select pg_promote()');
    await pair.standby.run('insert into orders values (4, 4)');
    leadTo(pair.standby);
    assert.deepEqual(await sync(), []);
    assert.deepEqual(await changesOf(job), ['c 3 3', 'c 4 4', 'd 2 null', 'r 1 1', 'r 2 2', 'u 1 10'].toSorted());
    await pair.standby.run('update orders set v = 40 where id = 4');
    assert.deepEqual(await sync(), []);
    assert.ok((await changesOf(job)).includes('u 4 40'));
  });
});

test('a job says so and loads anew when the promoted standby lacks what was read already', async () => {
  await follow(async (followed) => {
    const { pair, job, sync, leadTo } = followed;
    await copySlot(followed);
    await pair.standby.kill();
    await pair.primary.run('insert into orders values (3, 3)');
    assert.deepEqual(await sync(), []);
    await pair.primary.kill();
    await pair.standby.start();
    await pair.standby.run('select pg_promote()');
    await pair.standby.run('insert into orders values (4, 4)');
    leadTo(pair.standby);
    assert.match((await sync()).join('\n'), /orders: the source no longer has the changes after .*it is loaded again/);
    assert.deepEqual(await changesOf(job), ['r 1 1', 'r 2 2', 'r 4 4']);
    await pair.standby.run('delete from orders where id = 4');
    assert.deepEqual(await sync(), []);
    assert.deepEqual(await changesOf(job), ['d 4 null', 'r 1 1', 'r 2 2', 'r 4 4']);
  });
});
