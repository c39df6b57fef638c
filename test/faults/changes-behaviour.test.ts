import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import { createFollowed, publish, startLogSource } from './changes-support.ts';
import type { LogSource } from './changes-support.ts';
import { createJob } from './sync-support.ts';
import { lakeRows, sourceRows } from './support/orders.ts';
import type { JobOptions, LakeJob, Outcome } from './sync-support.ts';

let source: LogSource;

before(async () => {
  source = await startLogSource();
  await createFollowed(source, 200);
  await source.run(`create table quiet (id int primary key, word text); insert into quiet values (1, 'a')`);
  await publish(source);
});
after(() => source.stop());

async function withJob(options: Partial<JobOptions>, work: (job: LakeJob) => Promise<void>): Promise<void> {
  const { connection } = source;
  const job = await createJob(source, { destination: 'iceberg', mode: 'cdc', connection, ...options });
  try {
    await work(job);
  } finally {
    await job.remove();
  }
}

function records(outcome: Outcome): number {
  assert.equal(outcome.failure, undefined, outcome.failure?.message);
  return outcome.result!.progress.records;
}

const texts = (outcome: Outcome): string => outcome.lines.map((line) => line.message).join('\n');
const live = async (job: LakeJob): Promise<string[]> =>
  lakeRows((await job.read()).filter((row) => row['_op_type'] !== 'd'));

test('a second run without changes moves nothing, and lets the source forget its log all the same', async () => {
  await withJob({ streams: ['orders', 'quiet'] }, async (job) => {
    records(await job.attempt());
    const earlier = await source.confirmed();
    await source.run(`create table noise as select 1 as n; insert into noise select 2`);
    assert.equal(records(await job.attempt()), 0);
    const [high, low] = [await source.confirmed(), earlier].map((lsn) => Number.parseInt(lsn.split('/')[1]!, 16));
    assert.ok(high! > low!, 'the slot stays where it was');
    assert.equal(JSON.parse(job.state).global.streams.length, 2);
  });
});

test('a table without changes for many runs is followed from where the state row says, not loaded again', async () => {
  await withJob({ streams: ['orders', 'quiet'] }, async (job) => {
    records(await job.attempt());
    for (const name of ['x', 'y']) {
      await source.run(`update orders set name = '${name}' where id = 5`);
      assert.equal(records(await job.attempt()), 1);
    }
    await source.run(`insert into quiet values (2, 'b')`);
    const outcome = await job.attempt();
    assert.equal(records(outcome), 1);
    assert.doesNotMatch(texts(outcome), /loaded again/);
    assert.equal((await job.read('quiet')).length, 2);
  });
});

test('changes of a table that got a column are read into the new column, in the same run', async () => {
  await withJob({ streams: ['orders'] }, async (job) => {
    records(await job.attempt());
    await source.run(`update orders set name = 'before' where id = 1`);
    await source.run(`alter table orders add column note text`);
    await source.run(`update orders set note = 'after' where id = 2`);
    assert.equal(records(await job.attempt()), 2);
    const rows = await job.read();
    assert.equal(rows.find((row) => Number(row['id']) === 2)!['note'], 'after');
    assert.deepEqual(await live(job), await sourceRows(source));
    await source.run(`alter table orders drop column note`);
  });
});

test('a truncated table is loaded anew, and equals the source', async () => {
  await withJob({ streams: ['orders'] }, async (job) => {
    records(await job.attempt());
    // Written, and sampled for the comparison, before the log tells of the truncation.
    await source.run(`update orders set name = 'soon gone' where id <= 20`);
    await source.run(
      `begin; insert into orders values (9001, 'lost', 1, now()); truncate orders;
       insert into orders values (9002, 'kept', 2, now()); commit`,
    );
    await source.run(`insert into orders select i, 'name ' || i, i / 7.0, now() from generate_series(1, 50) as i`);
    const outcome = await job.attempt();
    records(outcome);
    assert.match(texts(outcome), /was truncated at the source; it is loaded anew/);
    assert.equal(outcome.result!.progress.reconciliation['public.orders']!.verdict, 'equal', texts(outcome));
    assert.deepEqual(await live(job), await sourceRows(source));
    assert.equal(records(await job.attempt()), 0);
  });
});

test('changed rows that go to quarantine count as such, and not as written', async () => {
  await source.run(
    `create table measured (id int primary key, v int, w numeric(5, 2)); insert into measured values (1, 1, 1)`,
  );
  await withJob({ streams: ['measured'], selection: { normalization: true } }, async (job) => {
    records(await job.attempt());
    await source.run(
      `alter table measured alter v type text;
       insert into measured values (2, '2', 2), (3, 'no number', 3), (4, '4', 'NaN');
       update measured set v = 'none' where id = 1; update measured set v = '5' where id = 2`,
    );
    const outcome = await job.attempt({ advanced: { error_policy: 'quarantine' } });
    assert.equal(records(outcome), 2);
    const { inserted, updated, deleted, quarantined } = outcome.result!.progress.streams['public.measured']!;
    assert.deepEqual(
      { inserted, updated, deleted, quarantined },
      { inserted: 1, updated: 1, deleted: 0, quarantined: 3 },
    );
    assert.match(texts(outcome), /public\.measured: 1 inserted, 1 updated or deleted/);
    assert.match(texts(outcome), /refused: stream public\.measured, column v, row 3: .*/);
    const rows = (await job.read('measured')).map(({ id, v }) => `${String(id)} ${String(v)}`).toSorted();
    assert.deepEqual(rows, ['1 1', '2 5']);
  });
});

test('with deletes applied, a deleted row leaves the table, whether the destination says so or the stream', async () => {
  const wishes = [{ writer: { deletes: 'apply' } }, { selection: { deletes: 'apply', delete_mode: 'copy_on_write' } }];
  for (const [at, wish] of wishes.entries()) {
    await withJob({ streams: ['orders'], ...wish }, async (job) => {
      records(await job.attempt());
      await source.run(`delete from orders where id = ${7 + at}`);
      assert.equal(records(await job.attempt()), 1);
      assert.ok((await job.read()).every((row) => Number(row['id']) !== 7 + at));
      assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
    });
  }
});

test('only changes: strict_cdc begins where the log ends and loads nothing', async () => {
  await withJob({ streams: ['orders'], mode: 'strict_cdc' }, async (job) => {
    assert.equal(records(await job.attempt()), 0);
    await source.run(`update orders set name = 'strict' where id = 3`);
    assert.equal(records(await job.attempt()), 1);
    const [row, ...others] = await job.read();
    assert.deepEqual([others.length, row!['name'], row!['_op_type']], [0, 'strict', 'u']);
  });
});

test('a slot that went further than a table means lost changes: the table is loaded again with a warning', async () => {
  await withJob({ streams: ['orders'] }, async (job) => {
    records(await job.attempt());
    await source.run(`update orders set name = 'unseen' where id = 4`);
    // The server of tests commits before it flushes; a slot goes no further than what is flushed.
    await source.run('checkpoint');
    await source.run(`select pg_replication_slot_advance('lake', pg_current_wal_flush_lsn())`);
    const outcome = await job.attempt();
    records(outcome);
    assert.match(texts(outcome), /no longer has the changes after .*; it is loaded again/);
    assert.ok(outcome.result!.warnings > 0);
    assert.deepEqual(await live(job), await sourceRows(source));
  });
});

test('a run that stays on shows changes while it goes on, and ends when it is cancelled', async () => {
  await withJob({ streams: ['orders'] }, async (job) => {
    records(await job.attempt());
    const stop = new AbortController();
    const advanced = { continuous: true, commit_interval_seconds: 1 };
    const running = job.attempt({ advanced, signal: stop.signal });
    for (const name of ['one', 'two']) {
      await source.run(`update orders set name = '${name}' where id = 6`);
      for (;;) {
        const row = (await job.read()).find((one) => Number(one['id']) === 6);
        if (row?.['name'] === name) break;
      }
    }
    stop.abort(new Failure('cancelled', 'enough'));
    assert.equal((await running).failure?.kind, 'cancelled');
    assert.equal(records(await job.attempt()), 0);
    assert.deepEqual(await live(job), await sourceRows(source));
  });
});

test('a missing slot fails by its name, with the statement that makes it', async () => {
  const config = {
    ...(source.connection.config as object),
    update_method: { type: 'CDC', replication_slot: 'nowhere', publication: 'lake_tables', initial_wait_time: 120 },
  };
  await withJob({ streams: ['orders'], connection: { type: 'postgres', config } }, async (job) => {
    const { failure } = await job.attempt();
    assert.match(failure!.message, /"nowhere" does not exist/);
    assert.match(`${failure!.message} ${failure!.advice}`, /pg_create_logical_replication_slot/);
  });
});
