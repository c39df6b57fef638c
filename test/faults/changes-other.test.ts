import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createFollowed, publish, startLogSource } from './changes-support.ts';
import type { LogSource } from './changes-support.ts';
import { createJob } from './sync-support.ts';
import { lakeRows, newestRows, sourceRows } from './support/orders.ts';
import type { JobOptions, LakeJob, Outcome } from './sync-support.ts';
import type { Row } from './support/lake-tables.ts';

// What a job that follows a log finds changed around it: its destination, its server, the key of its table.

let source: LogSource;

before(async () => {
  source = await startLogSource();
  await createFollowed(source, 100);
  await publish(source);
});
after(() => source.stop());

async function makeJob(options: Partial<JobOptions> = {}): Promise<LakeJob> {
  const { connection } = source;
  return createJob(source, { destination: 'iceberg', mode: 'cdc', streams: ['orders'], connection, ...options });
}

function run(outcome: Outcome): string {
  assert.equal(outcome.failure, undefined, outcome.failure?.message);
  return outcome.lines.map((line) => line.message).join('\n');
}

const live = (rows: readonly Row[]): Row[] => rows.filter((row) => row['_op_type'] !== 'd');

for (const stopAt of [undefined, 'sync.state-saved']) {
  const killed = stopAt === undefined ? '' : ', also when its first attempt there is killed';
  test(`a job that goes back to an earlier destination misses nothing that happened meanwhile${killed}`, () =>
    goBack(stopAt));
}

async function goBack(stopAt: string | undefined): Promise<void> {
  const first = await makeJob({ destination: 'parquet' });
  const lake = `${first.folder}/lake`;
  const jobs = [first];
  try {
    run(await first.attempt());
    if (stopAt !== undefined) {
      // One commit more than the other destination will have: what the state says of the table has to be repaired.
      await source.run(`update orders set name = 'more ' || clock_timestamp() where id = 3`);
      run(await first.attempt());
    }
    await source.run(`update orders set name = 'meanwhile ' || clock_timestamp() where id = 1`);
    const second = await makeJob({ destination: 'parquet', state: first.state });
    jobs.push(second);
    run(await second.attempt({ run: 'run-2' }));
    const back = await makeJob({ destination: 'parquet', state: second.state, lake });
    jobs.push(back);
    if (stopAt !== undefined) assert.equal((await back.attempt({ run: 'run-3', stopAt })).failure?.kind, 'worker_lost');
    run(await back.attempt({ run: 'run-3' }));
    assert.deepEqual(lakeRows(live(newestRows(await back.read()))), await sourceRows(source));
  } finally {
    for (const job of jobs) await job.remove();
  }
}

test('another server with tables of the same names lacks what the table knows: the table is loaded again', async () => {
  const first = await makeJob({ destination: 'parquet' });
  const other = await startLogSource();
  const jobs = [first];
  try {
    run(await first.attempt());
    await createFollowed(other, 50);
    await publish(other);
    // Further than the first one: places alone would say that everything is known or comes now.
    for (let file = 0; file < 8; file++) {
      await other.run(`select pg_switch_wal()`);
      await other.run(`update orders set name = 'filler' where id = 2`);
    }
    const { connection } = other;
    const lake = `${first.folder}/lake`;
    const moved = await makeJob({ destination: 'parquet', connection, state: first.state, lake });
    jobs.push(moved);
    const outcome = await moved.attempt({ run: 'run-2' });
    assert.match(run(outcome), /the source no longer has the changes after .*; it is loaded again/);
    assert.ok(outcome.result!.warnings > 0);
    assert.deepEqual(lakeRows(live(newestRows(await moved.read()))), await sourceRows(other));
  } finally {
    for (const job of jobs) await job.remove();
    await other.stop();
  }
});

const pairs = (rows: readonly Row[]): string[] =>
  rows.map((row) => `${row['id']}|${row['word'] ?? ''}|${row['note'] ?? ''}`).toSorted();

for (const during of [true, false]) {
  const when = during ? 'while its changes are read' : 'between two runs';
  test(`a table without a key that gets a column ${when} holds no row twice`, async () => {
    await source.run(
      `create table heap (id int, word text); alter table heap replica identity full;
       insert into heap select i, 'w' || i from generate_series(1, 20) as i`,
    );
    const job = await makeJob({ streams: ['heap'] });
    try {
      run(await job.attempt());
      if (during) await source.run(`update heap set word = 'early' where id = 3`);
      await source.run(`alter table heap add column note text`);
      if (!during) run(await job.attempt());
      await source.run(`update heap set word = 'changed', note = 'n' where id = 1; delete from heap where id = 2`);
      run(await job.attempt());
      assert.deepEqual(pairs(live(await job.read('heap'))), pairs(await source.run('select * from heap')));
    } finally {
      await job.remove();
      await source.run('drop table heap');
    }
  });
}

for (const mode of ['cdc', 'incremental'] as const) {
  test(`${mode}: a table whose key has changed holds no row twice`, async () => {
    await source.run(
      `create table keyed (id int primary key, word text, at timestamptz not null default '2026-01-01Z');
       insert into keyed select i, 'w' || i from generate_series(1, 20) as i`,
    );
    const job = await makeJob({ streams: ['keyed'], mode });
    try {
      run(await job.attempt());
      await source.run(
        `alter table keyed drop constraint keyed_pkey; alter table keyed alter word set not null;
         alter table keyed add primary key (id, at);
         update keyed set word = 'changed', at = '2026-01-01Z' where id = 1;
         insert into keyed values (21, 'w21', '2026-01-02Z')`,
      );
      await source.run(`update keyed set word = 'again' where id = 21`);
      run(await job.attempt());
      assert.deepEqual(pairs(live(await job.read('keyed'))), pairs(await source.run('select * from keyed')));
    } finally {
      await job.remove();
      await source.run('drop table keyed');
    }
  });
}
