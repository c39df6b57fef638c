import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { SyncProgress } from '../../src/sync/types.ts';
import { openShareLab, until } from './support/share-lab.ts';
import type { ShareLab } from './support/share-lab.ts';

const ROWS = 6000;

let lab: ShareLab;

before(async () => {
  lab = await openShareLab(ROWS);
});
after(() => lab?.close());

describe('a load that two worker processes read', () => {
  for (const destination of ['iceberg', 'parquet'] as const) {
    it(`to ${destination} holds each row once, and both have read`, async () => {
      const open = await lab.closeGate();
      const workers = [await lab.startWorker(), await lab.startWorker()];
      const run = await lab.start({ destination });
      await until(
        'both hold a chunk',
        async () => new Set((await lab.claims()).map((claim) => claim.worker)).size === 2,
      );
      await open();
      const ended = await run.ended();
      assert.equal(ended.state, 'succeeded', JSON.stringify(ended.error));
      await run.assertEqual('two workers');
      const progress = ended.progress as SyncProgress;
      assert.equal(progress.records, ROWS);
      assert.equal(progress.streams['public.gated']!.rows, ROWS);
      assert.equal(progress.reconciliation['public.gated']!.verdict, 'equal');
      assert.ok(progress.reconciliation['public.gated']!.sampledRows > 0);
      const outputs = (await run.readers()).map((task) => task.output as { chunks: number });
      assert.ok(
        outputs.some((output) => output.chunks > 0),
        'the reader has read nothing',
      );
      assert.equal(await lab.leftOvers(), 0);
      for (const worker of workers) worker.kill('SIGKILL');
    });
  }
});
