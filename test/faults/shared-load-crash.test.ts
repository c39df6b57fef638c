import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Worker } from '../../src/engine/index.ts';
import { until } from '../support/waiting.ts';
import { noteKill, testKills } from './points.ts';
import { openShareLab } from './support/share-lab.ts';
import type { ShareLab } from './support/share-lab.ts';

const SEALING = /^share\.(chunk-read|sealed|handed-over|adopted)$/;

let lab: ShareLab;
let worker: Worker;
let stopAt: string | null = null;
let points: string[] = [];

before(async () => {
  lab = await openShareLab(3000, { slots: 3, stopAt: () => stopAt, onPoint: (point) => void points.push(point) });
  worker = await lab.engine.startWorker();
});
after(async () => {
  await worker?.stop(0);
  await lab?.close();
});

/** A run in which a reader takes part, whoever dies of what. Answers how many processes died. */
async function syncWithReader(destination: 'iceberg' | 'parquet', place: string): Promise<number> {
  const open = await lab.closeGate();
  const run = await lab.start({ destination, advanced: { retry_count: 3 } });
  await until(`${place}: a reader holds a chunk`, async () => (await lab.readerClaims()) > 0);
  await open();
  const ended = await run.ended();
  assert.equal(ended.state, 'succeeded', `${place}: ${JSON.stringify(ended.error)} ${await run.log()}`);
  await run.assertEqual(place);
  assert.equal(await lab.leftOvers(), 0, place);
  const { rows } = await lab.test.store.pool.query(
    `select count(*)::int as deaths from attempt join task on task.id = attempt.task_id
       where task.run_id = $1 and attempt.error ->> 'message' like '%killed by SIGKILL%'`,
    [run.id],
  );
  return (rows[0] as { deaths: number }).deaths;
}

describe('a shared load whose processes die', () => {
  for (const destination of ['iceberg', 'parquet'] as const) {
    it(`at any point yields each row of ${destination} once`, async () => {
      stopAt = null;
      points = [];
      assert.equal(await syncWithReader(destination, 'dry run'), 0);
      const own = new Set(points.filter((point) => point.startsWith('share.') || point.startsWith('sync.')));
      // These are reached on both sides.
      const files = destination === 'iceberg' ? ['iceberg.manifest-written'] : ['parquet.file-written'];
      // What differs between destinations is how units are sealed and adopted.
      const reached = [...own].filter((point) => destination === 'iceberg' || SEALING.test(point));
      for (const point of [...reached, ...files]) {
        stopAt = point;
        const deaths = await syncWithReader(destination, point);
        assert.ok(deaths > 0, `${point}: nobody died`);
        noteKill(point);
      }
    });
  }
});

testKills('shared-load-crash');
