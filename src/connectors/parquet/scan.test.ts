import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { TestS3 } from '../../../test/support/s3.ts';
import { sharedS3 } from '../../../test/support/s3-place.ts';
import { readRows } from '../../columns/index.ts';
import { createWorld } from '../../world.ts';
import {
  batchOf,
  checkpointOf,
  conformanceColumns,
  conformanceTable,
  rowsFrom,
} from '../kit/conformance/destination-rows.ts';
import type { DestinationContext, DestinationSession } from '../kit/index.ts';
import { openPlace } from './conformance/s3-place.test-support.ts';
import { connector } from './index.ts';

const world = createWorld();
const { name } = conformanceTable();
const signal = new AbortController().signal;
const context: DestinationContext = {
  world,
  log: () => {},
  signal,
  guard: async () => {},
  warehouse: '/nowhere',
  allowPath: () => {},
};
let folder = '';
let session: DestinationSession;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-scan-'));
  session = await connector.open({ local_path: folder }, context);
});
afterEach(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

async function append(
  to: DestinationSession,
  { first, seq, columns = conformanceColumns }: { first: number; seq: number; columns?: typeof conformanceColumns },
): Promise<void> {
  const table = await to.openTable(conformanceTable({ columns }));
  const unit = table.beginUnit();
  await unit.write(batchOf(rowsFrom(first, 3, `w${seq}`), columns));
  await unit.commit('append', checkpointOf(seq));
  await table.close();
}

/** Rows of the columns in the order in which they come; `meanwhile` runs once the first are there. */
async function scan(
  from: DestinationSession,
  columns: readonly string[],
  meanwhile: () => Promise<void> = async () => {},
): Promise<unknown[][] | undefined> {
  const rows: unknown[][] = [];
  const exists = await from.scanTable!(name, {
    columns,
    signal,
    sink: async (batch) => {
      const values = batch.columns.map((vector) => readRows(vector, batch.rows));
      for (let row = 0; row < batch.rows; row++) rows.push(values.map((column) => column[row]));
      if (rows.length === 3) await meanwhile();
    },
  });
  return exists ? rows : undefined;
}

const dataFiles = async (): Promise<string[]> => {
  const at = join(folder, name.database, name.table);
  return (await readdir(at)).filter((file) => file.endsWith('.parquet')).map((file) => join(at, file));
};

describe('reading a Parquet table back', () => {
  it('answers that there is none, and creates nothing', async () => {
    assert.equal(await scan(session, ['id']), undefined);
    assert.deepEqual(await readdir(folder), []);
  });

  it('hands over each committed row once, in the order of the commits, and nothing that is staged', async () => {
    await append(session, { first: 0, seq: 1 });
    await append(session, { first: 10, seq: 2 });
    const table = await session.openTable(conformanceTable());
    const staged = table.beginUnit();
    await staged.write(batchOf(rowsFrom(90, 3, 'staged')));
    await staged.commit('stage', checkpointOf(3));
    assert.deepEqual(await scan(session, ['name', 'amount']), [
      ['w1-0', null],
      ['w1-1', 101n],
      ['w1-2', 202n],
      ['w2-10', 1010n],
      ['w2-11', 1111n],
      ['w2-12', null],
    ]);
    await table.close();
  });

  it('shows columns as the table has them now: new ones null in older files, wider types throughout', async () => {
    await append(session, { first: 1, seq: 1 });
    const wider = conformanceColumns.map((one) =>
      one.name === 'id' ? { ...one, type: { kind: 'long' as const } } : one,
    );
    const columns = [...wider, { name: 'extra', type: { kind: 'string' as const }, nullable: true }];
    await append(session, { first: 10, seq: 2, columns });
    assert.deepEqual(await scan(session, ['id', 'extra']), [
      [1n, null],
      [2n, null],
      [3n, null],
      [10n, '10'],
      [11n, '11'],
      [12n, '12'],
    ]);
    await assert.rejects(scan(session, ['gone']), { kind: 'object_missing', message: /"gone"/ });
  });

  it('ends in words when a full load replaces the table meanwhile, or a file is gone or damaged', async () => {
    await append(session, { first: 0, seq: 1 });
    await append(session, { first: 10, seq: 2 });
    assert.equal((await dataFiles()).length, 2);
    const replace = async (): Promise<void> => {
      const table = await session.openTable(conformanceTable());
      const unit = table.beginUnit();
      await unit.write(batchOf(rowsFrom(20, 3, 'w3')));
      await unit.commit('stage', checkpointOf(3));
      await table.publishStaged(checkpointOf(4));
      await table.close();
    };
    await assert.rejects(scan(session, ['id'], replace), { kind: 'commit_conflict', message: /was replaced/ });
    const [path] = await dataFiles();
    await truncate(path!, (await readFile(path!)).length - 20);
    await assert.rejects(scan(session, ['id']), { kind: 'storage_failed', message: /cannot be read as Parquet/ });
    await rm(path!);
    await assert.rejects(scan(session, ['id']), { kind: 'storage_failed', message: /missing/ });
  });
});

describe('reading a Parquet table back from S3', () => {
  let s3: TestS3;
  before(async () => {
    s3 = await sharedS3();
  });
  after(() => s3.close());

  it('hands over each committed row once', async () => {
    const there = await (await openPlace(folder)).open({ world, guard: async () => {} });
    await append(there, { first: 0, seq: 1 });
    await append(there, { first: 10, seq: 2 });
    assert.deepEqual(await scan(there, ['id']), [[0], [1], [2], [10], [11], [12]]);
    await there.close();
  });
});
