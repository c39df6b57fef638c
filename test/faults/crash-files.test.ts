import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { killAtEveryPoint } from './crash-support.ts';
import { assertRows } from './lake-checks.ts';
import { testKills } from './points.ts';
import { createJob } from './sync-support.ts';
import type { LakeJob } from './sync-support.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-crash-files-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Lays a file of `rows` rows whose numbers begin at `from`; answers them. */
async function lay(path: string, { from, rows, second }: { from: number; rows: number; second: number }) {
  const numbers = Array.from({ length: rows }, (_, at) => from + at);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `id,name\n${numbers.map((id) => `${id},name ${id}`).join('\n')}\n`);
  const time = new Date(Date.UTC(2024, 0, 1, 0, 0, second));
  await utimes(path, time, time);
  return numbers;
}

async function assertRowsOnce(job: LakeJob, numbers: readonly number[], place: string): Promise<void> {
  const rows = (await job.read()).map((row) => `${String(row['id'])}|${String(row['name'])}`).toSorted();
  assertRows(rows, numbers.map((id) => `${id}|name ${id}`).toSorted(), place);
}

describe('a sync of files that is killed at any point of a later run takes every row once', () => {
  // Whole loads into a folder of Parquet files are tried with a PostgreSQL source.
  for (const [mode, destination] of [
    ['incremental', 'iceberg'],
    ['incremental', 'parquet'],
    ['full_refresh', 'iceberg'],
  ] as const) {
    it(`${mode} to ${destination}`, async () => {
      const place = join(folder, mode, destination);
      const numbers = await lay(join(place, 'orders/1.csv'), { from: 1, rows: 50, second: 1 });
      const connection = { type: 'file', config: { url: place } };
      const job = await createJob(connection, {
        destination,
        mode,
        cursor: '_last_modified_time',
        connection,
      });
      try {
        const first = await job.attempt();
        assert.equal(first.failure, undefined, first.failure?.message);
        // Two files of one instant, a packed chunk each or together, and one later.
        numbers.push(...(await lay(join(place, 'orders/2.csv'), { from: 100, rows: 40, second: 2 })));
        numbers.push(...(await lay(join(place, 'orders/3.csv'), { from: 200, rows: 40, second: 2 })));
        numbers.push(...(await lay(join(place, 'orders/4.csv'), { from: 300, rows: 40, second: 3 })));
        await killAtEveryPoint({
          job,
          kind: destination,
          movesOn: mode === 'incremental',
          check: (step) => assertRowsOnce(job, numbers, step),
        });
      } finally {
        await job.remove();
      }
    });
  }
});

testKills('crash-files');
