import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, afterEach, before, describe, it } from 'node:test';
import type { SyncProgress } from '../../src/sync/types.ts';
import { until } from '../support/waiting.ts';
import { openShareLab } from './support/share-lab.ts';
import type { ShareLab, ShareRun } from './support/share-lab.ts';

const ROWS = 6000;

let lab: ShareLab;
let workers: ChildProcess[] = [];

before(async () => {
  lab = await openShareLab(ROWS);
});
afterEach(() => {
  for (const worker of workers) worker.kill('SIGKILL');
  workers = [];
});
after(() => lab?.close());

async function startWorker(): Promise<ChildProcess> {
  const worker = await lab.startWorker();
  workers.push(worker);
  return worker;
}

/** A run whose committer is in the first worker and whose reader in the second; each holds a chunk, nobody goes on. */
async function startHeldUp(destination: 'iceberg' | 'parquet') {
  const open = await lab.closeGate();
  const committer = await startWorker();
  const run = await lab.start({ destination });
  await until('the committer holds a chunk', async () => (await lab.claims()).length > 0);
  const reader = await startWorker();
  await until('the reader holds a chunk', async () => (await lab.readerClaims()) > 0);
  return { run, committer, reader, open };
}

async function assertWhole(run: ShareRun, place: string): Promise<SyncProgress> {
  const ended = await run.ended();
  assert.equal(ended.state, 'succeeded', `${place}: ${JSON.stringify(ended.error)}`);
  await run.assertEqual(place);
  assert.equal(await lab.leftOvers(), 0);
  return ended.progress as SyncProgress;
}

describe('a load that two worker processes read', () => {
  for (const destination of ['iceberg', 'parquet'] as const) {
    it(`to ${destination} holds each row once, and both have read`, async () => {
      const { run, open } = await startHeldUp(destination);
      assert.equal(new Set((await lab.claims()).map((claim) => claim.worker)).size, 2);
      const threads = async (): Promise<number | undefined> =>
        ((await lab.engine.get(run.id))?.progress as SyncProgress | null)?.writerThreads;
      await until(
        'statistics count the readers of both',
        async () => (await threads()) === (await lab.claims()).length,
      );
      await open();
      const progress = await assertWhole(run, 'two workers');
      assert.equal(progress.records, ROWS);
      assert.equal(progress.streams['public.gated']!.rows, ROWS);
      assert.equal(progress.reconciliation['public.gated']!.verdict, 'equal');
      assert.ok(progress.reconciliation['public.gated']!.sampledRows > 0);
      const chunks = (await run.readers()).map((task) => (task.output as { chunks?: number } | null)?.chunks ?? 0);
      assert.ok(Math.max(...chunks) > 0, 'the reader has read nothing');
    });

    it(`to ${destination} goes on when the reader's worker is killed`, async () => {
      const { run, reader, open } = await startHeldUp(destination);
      reader.kill('SIGKILL');
      await open();
      // Its task goes to another worker once its lease is over: the run ends when that has found nothing to do.
      await assertWhole(run, 'reader killed');
    });

    it(`to ${destination} is taken over by the reader's worker when the committer's is killed`, async () => {
      const { run, committer, open } = await startHeldUp(destination);
      committer.kill('SIGKILL');
      await until('the load is taken over', async () => (await lab.engine.tasks(run.id))[0]!.attempt === 2);
      await open();
      await assertWhole(run, 'committer killed');
    });
  }

  it('ends when it is cancelled, and leaves nothing', async () => {
    const { run, open } = await startHeldUp('parquet');
    assert.equal(await lab.engine.cancel(run.id, 'test'), true);
    assert.equal((await run.ended()).state, 'cancelled');
    await open();
    assert.deepEqual(await run.rows(), []);
    assert.equal(await lab.leftOvers(), 0);
  });
});

describe('a run with one worker that does one thing at a time', () => {
  it('ends without the readers that nobody can start', async () => {
    await startWorker();
    const run = await lab.start({ destination: 'iceberg', advanced: { max_threads: 4 } });
    await assertWhole(run, 'one worker');
    const states = (await run.readers()).map((task) => task.state);
    assert.ok(states.length > 0);
    assert.deepEqual(new Set(states), new Set(['skipped']));
  });
});
