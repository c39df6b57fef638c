import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Worker } from '../../src/engine/index.ts';
import type { SyncProgress } from '../../src/sync/types.ts';
import { lakeRows } from './support/orders.ts';
import { until } from '../support/waiting.ts';
import { openShareLab } from './support/share-lab.ts';
import type { ShareJob, ShareLab, ShareRun } from './support/share-lab.ts';

const ROWS = 6000;
const SPOILED = ROWS / 100;

let lab: ShareLab;
let worker: Worker;

before(async () => {
  lab = await openShareLab(ROWS, { slots: 3 });
  worker = await lab.engine.startWorker();
});
after(async () => {
  await worker?.stop(0);
  await lab?.close();
});

/** A run of which a reader holds a chunk before the first row is read. */
async function startWithReader(job: ShareJob): Promise<ShareRun> {
  const open = await lab.closeGate();
  const run = await lab.start(job);
  await until('a reader holds a chunk', async () => (await lab.readerClaims()) > 0);
  await open();
  return run;
}

describe('a shared load', () => {
  it('counts the rows that its readers keep in quarantine', async () => {
    const run = await startWithReader({
      destination: 'iceberg',
      table: 'spoiled',
      advanced: { error_policy: 'quarantine' },
    });
    const ended = await run.ended();
    assert.equal(ended.state, 'warned', JSON.stringify(ended.error));
    const progress = ended.progress as SyncProgress;
    assert.equal(progress.streams['public.spoiled']!.quarantined, SPOILED);
    assert.equal(progress.records, ROWS - SPOILED);
    assert.equal(progress.reconciliation['public.spoiled']!.verdict, 'equal');
    const ids = new Set((await run.rows()).map((row) => Number(row['id'])));
    assert.equal(ids.size, ROWS - SPOILED);
    assert.ok(![...ids].some((id) => id % 100 === 0));
  });

  it('fails when there are more of them in all processes than may be', async () => {
    const advanced = { error_policy: 'quarantine', max_quarantine: SPOILED - 1 } as const;
    const run = await startWithReader({ destination: 'parquet', table: 'spoiled', advanced });
    const ended = await run.ended();
    assert.equal(ended.state, 'failed');
    assert.equal(ended.error?.kind, 'value_refused');
    assert.deepEqual(await run.rows(), []);
    assert.equal(await lab.leftOvers(), 0);
  });

  it('fails with the first value that is refused, whoever reads it', async () => {
    const run = await startWithReader({ destination: 'parquet', table: 'spoiled' });
    const ended = await run.ended();
    assert.equal(ended.state, 'failed');
    assert.equal(ended.error?.kind, 'value_refused');
    assert.match(ended.error?.message ?? '', /column amount/);
    assert.ok((await lab.engine.tasks(run.id)).every((task) => task.endedAt !== null));
    assert.equal(await lab.leftOvers(), 0);
  });

  it('of an incremental stream knows afterwards which rows hold the last cursor value', async () => {
    const job = { destination: 'iceberg', mode: 'incremental', id: 77 } as const;
    const first = await startWithReader(job);
    assert.equal((await first.ended()).state, 'succeeded');
    await first.assertEqual('first run');
    const second = await lab.start(job);
    const ended = await second.ended();
    assert.equal(ended.state, 'succeeded');
    assert.equal((ended.progress as SyncProgress).records, 0, 'rows came again');
    await second.assertEqual('second run');
    assert.equal(new Set(lakeRows(await second.rows())).size, ROWS);
  });
});
