import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Failure } from '../../src/errors.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, sourceRows } from './support/orders.ts';
import type { JobOptions, LakeJob, Outcome } from './sync-support.ts';

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await createOrders(source, 3000);
  await source.run(`create table other (id bigint primary key, name text, amount numeric(10,2), at timestamptz)`);
  await source.run(
    `insert into other values (1, 'a', 1, '2026-01-01Z'), (2, 'b', 'NaN', '2026-01-01Z'), (3, 'c', 3, '2026-01-02Z')`,
  );
});
after(() => source.stop());

async function withJob(options: JobOptions, work: (job: LakeJob) => Promise<void>): Promise<void> {
  const job = await createJob(source, options);
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

const texts = (outcome: Outcome): string[] => outcome.lines.map((line) => line.message);

for (const destination of ['parquet', 'iceberg'] as const) {
  test(`a second incremental run to ${destination} moves nothing, a changed row one, a late tie one`, async () => {
    await withJob({ destination, mode: 'incremental', streams: ['orders'] }, async (job) => {
      assert.equal(
        records(await job.attempt()),
        Number((await source.run('select count(*) as n from orders'))[0]!['n']),
      );
      assert.equal(records(await job.attempt()), 0);
      await source.run(`update orders set name = 'changed', at = now() where id = 77`);
      const changed = await job.attempt();
      assert.equal(records(changed), 1);
      assert.equal(changed.result!.progress.reconciliation['public.orders']!.mismatchedRows, 0);
      // Committed late with the cursor value that was read last.
      await source.run(`insert into orders select 500000, 'tie', 1, at from orders where id = 77`);
      assert.equal(records(await job.attempt()), 1);
      assert.equal(records(await job.attempt()), 0);
      const rows = (await job.read()).filter((row) => Number(row['id']) === 77);
      assert.equal(rows.at(-1)!['_op_type'], 'u');
      if (destination === 'iceberg') assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
      await source.run('delete from orders where id = 500000');
    });
  });
}

test('a state that was changed by hand is told of, and the table is believed', async () => {
  const lake = await mkdtemp(join(tmpdir(), 'penstock-state-'));
  const options = { destination: 'parquet', mode: 'incremental', streams: ['orders'], lake } as const;
  try {
    let state = '';
    await withJob(options, async (job) => {
      records(await job.attempt());
      const quiet = await job.attempt();
      assert.ok(!texts(quiet).some((line) => line.includes('by hand')), texts(quiet).join('\n'));
      state = job.state;
    });
    const moved = state.replaceAll(/"at":"2\d{3}/g, '"at":"1999');
    const imported = JSON.stringify({
      ...JSON.parse(state),
      streams: [{ stream: 'orders', namespace: 'public', state: { at: '1999' } }],
    });
    assert.notEqual(moved, state);
    for (const edited of [moved, imported]) {
      await withJob({ ...options, state: edited }, async (job) => {
        const outcome = await job.attempt({ run: 'run-later' });
        assert.equal(records(outcome), 0);
        assert.match(
          texts(outcome).join('\n'),
          /public\.orders: its state was changed by hand; .*clear the destination/,
        );
        assert.equal(JSON.parse(job.state).streams[0].state.at, JSON.parse(state).streams[0].state.at, 'repaired');
      });
    }
  } finally {
    await rm(lake, { recursive: true });
  }
});

test('equal rows of a table without a key are all there: of the load, of one run, and late ones at the last value', async () => {
  await source.run(
    `create table twins (word text, at timestamptz);
     insert into twins values ('a', '2026-01-01Z'), ('a', '2026-01-01Z'), ('b', '2026-01-01Z')`,
  );
  const options: JobOptions = { destination: 'iceberg', mode: 'incremental', streams: ['twins'], cursor: 'at' };
  await withJob(options, async (job) => {
    assert.equal(records(await job.attempt()), 3);
    assert.equal(records(await job.attempt()), 0);
    for (const [word, day] of [
      ['a', 1],
      ['c', 2],
      ['c', 2],
    ] as const) {
      await source.run(`insert into twins select '${word}', '2026-01-0${day}Z' from generate_series(1, 2)`);
      assert.equal(records(await job.attempt()), 2, word);
    }
    assert.equal(records(await job.attempt()), 0);
    const words = (await job.read('twins')).map((row) => row['word']).toSorted();
    assert.deepEqual(words, ['a', 'a', 'a', 'a', 'b', 'c', 'c', 'c', 'c']);
  });
});

test('a full refresh reconciles rows and samples, and takes every chunk once', async () => {
  await withJob({ destination: 'iceberg', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    const { result } = await job.attempt();
    const { reconciliation, streams } = result!.progress;
    assert.equal(reconciliation['public.orders']!.verdict, 'equal');
    assert.ok(reconciliation['public.orders']!.sampledRows >= 200);
    assert.equal(streams['public.orders']!.chunks_done, 3);
    assert.match(job.state, /"seq":\d+/);
  });
});

test('a sync says which columns of which table became which columns', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    const { lineage } = (await job.attempt()).result!;
    const input = lineage.inputs.find(({ name }) => name.endsWith('.public.orders'))!;
    assert.match(input.namespace, /^postgres:\/\/[^@]+:\d+$/, 'host and port, no user and no password');
    assert.deepEqual(
      input.fields.map(({ name }) => name),
      ['id', 'name', 'amount', 'at'],
    );
    const output = lineage.outputs.find(({ name }) => name.endsWith('.orders'))!;
    assert.equal(output.rows, 3000);
    assert.ok(output.fields.some(({ name, type }) => name === 'amount' && type === 'decimal(10,2)'));
    assert.deepEqual(output.from!['amount'], [{ namespace: input.namespace, name: input.name, field: 'amount' }]);
    assert.equal(output.from!['_olake_id'], undefined, 'what the sync adds comes from no column');
  });
});

test('an attempt that was killed after a chunk leaves only the other chunks to the next', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    const killed = await job.attempt({ run: 'one', stopAt: 'sync.state-saved:2' });
    assert.equal(killed.failure!.kind, 'worker_lost');
    assert.deepEqual(await job.visibleFiles(), []);
    const resumed = await job.attempt({ run: 'one' });
    assert.ok(texts(resumed).some((line) => line.includes('continues a load, 1 of 3 chunks to do')));
    assert.equal(records(resumed), (await sourceRows(source)).length);
    assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
  });
});

test('an attempt whose readers ended together and that was killed before it published leaves no chunk to the next', async () => {
  await withJob({ destination: 'iceberg', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    const advanced = { max_threads: 3 };
    const killed = await job.attempt({ run: 'one', stopAt: 'sync.load-read', advanced });
    assert.equal(killed.failure!.kind, 'worker_lost');
    const resumed = await job.attempt({ run: 'one', advanced });
    assert.ok(texts(resumed).some((line) => line.includes('continues a load, 0 of 3 chunks to do')));
    assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
  });
});

test('a load that was interrupted and no longer adds up is read again from the start', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    await job.attempt({ run: 'one', stopAt: 'sync.state-saved:2' });
    await source.run('delete from orders where id between 2000 and 2100');
    const resumed = await job.attempt({ run: 'one' });
    assert.ok(texts(resumed).some((line) => line.includes('loaded again')));
    assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
    assert.equal(records(resumed) >= (await sourceRows(source)).length, true);
  });
});

test('rows that changed between two attempts of a full refresh are read again, though the count still adds up', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    await job.attempt({ run: 'one', stopAt: 'sync.state-saved:2' });
    await source.run('update orders set name = name || $$ (changed)$$ where id = 1');
    const resumed = await job.attempt({ run: 'one' });
    assert.ok(texts(resumed).some((line) => line.includes('loaded again')));
    assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
  });
});

test('a cancelled run leaves the old content and ends with the reason of the cancellation', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['orders'] }, async (job) => {
    await job.attempt();
    const old = lakeRows(await job.read());
    const controller = new AbortController();
    const cancelled = await job.attempt({
      signal: controller.signal,
      onLog: ({ message }) => {
        if (message.includes('chunk 1 of 3')) controller.abort(new Failure('cancelled', 'cancelled by ines'));
      },
    });
    assert.equal(cancelled.failure!.message, 'cancelled by ines');
    assert.deepEqual(lakeRows(await job.read()), old);
  });
});

test('a refused value fails the run and names stream, column and key', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['other'] }, async (job) => {
    const { failure } = await job.attempt();
    assert.equal(failure!.kind, 'value_refused');
    assert.match(failure!.message, /public\.other, column amount, row .*2/);
    assert.deepEqual(await job.read('other'), []);
  });
});

test('with quarantine a refused row is kept aside with its reason and the run is warned', async () => {
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['other'] }, async (job) => {
    const advanced = { error_policy: 'quarantine' } as const;
    const { result } = await job.attempt({ advanced });
    assert.equal(result!.warnings > 0, true);
    assert.equal(result!.progress.streams['public.other']!.quarantined, 1);
    assert.equal(result!.progress.reconciliation['public.other']!.verdict, 'equal');
    assert.equal((await job.read('other')).length, 2);
    const { time, reason, ...line } = JSON.parse(await readFile(join(job.folder, 'run', 'quarantine.ndjson'), 'utf8'));
    assert.match(`${time} ${reason}`, /^2.*NaN/);
    // The whole row, so that it can be repaired and written again.
    const values = { id: '2', name: 'b', amount: 'NaN', at: '2026-01-01T00:00:00.000000Z' };
    assert.deepEqual(line, { stream: 'public.other', column: 'amount', key: 'id=2', values });
    const strict = await job.attempt({ advanced: { ...advanced, max_quarantine: 0 } });
    assert.equal(strict.failure!.kind, 'value_refused');
  });
});

test('a stream that is gone is skipped with a warning; with none left the run fails', async () => {
  await source.run('create table passing (id bigint primary key, name text, amount numeric(10,2), at timestamptz)');
  const both = { destination: 'parquet', mode: 'full_refresh', streams: ['orders', 'passing'] } as const;
  await withJob(both, async (job) => {
    await withJob({ ...both, streams: ['passing'] }, async (alone) => {
      await source.run('drop table passing');
      const skipped = await job.attempt();
      assert.equal(skipped.result!.warnings, 1);
      assert.ok(texts(skipped).some((line) => line.includes('skipped: stream public.passing')));
      assert.deepEqual(lakeRows(await job.read()), await sourceRows(source));
      assert.equal((await alone.attempt()).failure!.kind, 'object_missing');
    });
  });
});

test('rows without normalization keep their source names in one JSON column', async () => {
  const selection = { normalization: false };
  await withJob({ destination: 'parquet', mode: 'full_refresh', streams: ['orders'], selection }, async (job) => {
    await job.attempt();
    const rows = await job.read();
    assert.deepEqual(Object.keys(rows[0]!).toSorted(), ['_olake_id', '_olake_timestamp', '_op_type', 'data']);
    const one = JSON.parse(String(rows.find((row) => row['_olake_id'] === '7')!['data'])) as object;
    assert.deepEqual(one, { id: 7, name: 'name 7', amount: 1, at: '2026-01-01T00:00:00.000000Z' });
  });
});

test('a source that vanishes in the middle fails the run for another try and leaves the table as it was', async () => {
  const mortal = await startTestSource();
  await createOrders(mortal, 2000);
  const job = await createJob(mortal, { destination: 'parquet', mode: 'full_refresh', streams: ['orders'] });
  try {
    await job.attempt();
    const old = lakeRows(await job.read());
    let stopping: Promise<unknown> | undefined;
    const lost = await job.attempt({
      onLog: ({ message }) => {
        if (message.includes('chunk 1 of 3')) stopping ??= mortal.stop();
      },
    });
    await stopping;
    const kinds = ['connection_lost', 'unreachable'];
    assert.ok(kinds.includes(lost.failure!.kind), `${lost.failure!.kind}: ${lost.failure!.message}`);
    assert.equal(lost.failure!.toRecord().retryable, true);
    assert.deepEqual(lakeRows(await job.read()), old);
  } finally {
    await job.remove();
  }
});
