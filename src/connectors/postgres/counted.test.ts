import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  collect,
  openSource,
  startTestSource,
  type OpenedSource,
  type TestSource,
} from '../../../test/support/source.ts';
import type { StreamSelection } from '../kit/index.ts';
import { connector } from './index.ts';
import { isSeamless } from './load.ts';

const { signal } = new AbortController();
const SMALL = { targetBytes: 100_000, signal };

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await source.run(`create table paged as select i as id, repeat('x', 200) as filler from generate_series(1, 5000) i;
    delete from paged where id % 7 = 0; analyze paged;
    create table heir () inherits (paged); insert into heir select i, '' from generate_series(1, 30) i`);
});
after(async () => {
  await source?.stop();
});

async function inSession<T>(work: (opened: OpenedSource) => Promise<T>): Promise<T> {
  const opened = await openSource(connector, source.config);
  try {
    return await work(opened);
  } finally {
    await opened.session.close();
  }
}

describe('rows that the server counts while it sends them', () => {
  it('add up to what it counts by itself at the same moment, whatever is written meanwhile', async () => {
    await inSession(async ({ session, stream }) => {
      const paged = await stream('paged');
      const { chunks, isCountedByChunks } = await session.planLoad(paged, SMALL);
      assert.equal(isCountedByChunks, true);
      assert.ok(chunks.length > 5, `${chunks.length} chunks`);
      assert.ok(isSeamless(chunks));
      const counts: number[] = [];
      for (const [at, chunk] of chunks.entries()) {
        const read = collect();
        await session.readChunk(paged, { ...read, chunk, counted: (rows) => counts.push(rows) });
        assert.equal(counts[at], read.rows.length);
        await source.run(
          `insert into paged select ${10_000 + at}, repeat('y', 2000) from generate_series(1, 20); delete from paged where id = ${at * 5 + 1}`,
        );
      }
      assert.equal(
        counts.reduce((sum, rows) => sum + rows, 0),
        await session.countRows(paged, { signal }),
      );
    });
  });

  it('include those that were refused', async () => {
    await source.run(`create table refusing (id int primary key, v numeric(4,2));
      insert into refusing values (1, 1), (2, 'NaN'), (3, 99.99)`);
    await inSession(async ({ session, stream }) => {
      const refusing = await stream('refusing');
      const { chunks } = await session.planLoad(refusing, SMALL);
      const read = collect();
      let counted = 0;
      await session.readChunk(refusing, { ...read, chunk: chunks[0]!, counted: (rows) => (counted = rows) });
      assert.deepEqual([counted, read.rows.length, read.refused.length], [3, 2, 1]);
    });
  });

  it('stand for no count where chunks need not be all of the rows', async () => {
    await source.run(`create view seen as select * from paged;
      create table parted (id int) partition by range (id);
      create table parted_1 partition of parted for values from (0) to (1000);
      create table guarded (id int); alter table guarded enable row level security;
      analyze`);
    await inSession(async ({ session, stream }) => {
      const paged = await stream('paged');
      const filter = { combine: 'and', conditions: [{ column: 'id', operator: '>', value: 10 }] } as const;
      const others: StreamSelection[] = [
        { ...paged, filter },
        { ...paged, chunkColumn: 'id' },
        ...(await Promise.all(['seen', 'parted', 'guarded'].map((name) => stream(name)))),
      ];
      for (const other of others) {
        assert.notEqual((await session.planLoad(other, SMALL)).isCountedByChunks, true, other.name);
      }
    });
  });
});

describe('page ranges', () => {
  const range = (min: number, max: number | null) => ({
    min: `'(${min},0)'`,
    max: max === null ? null : `'(${max},0)'`,
  });

  it('are seamless only from the first page on, end to end, in order and without an end', () => {
    assert.ok(isSeamless([range(0, null)]));
    assert.ok(isSeamless([range(0, 9), range(9, 100), range(100, null)]));
    const broken = {
      nothing: [],
      'a gap': [range(0, 9), range(10, null)],
      'an overlap': [range(0, 9), range(8, null)],
      'an end': [range(0, 9), range(9, 100)],
      'a late start': [range(1, 9), range(9, null)],
      'a step back': [range(0, 50), range(50, 20), range(20, null)],
      'an end amid': [range(0, null), range(9, null)],
      'no range': [{ min: null, max: null }],
      partitions: [{ min: `7:'(0,0)'`, max: null }],
    };
    for (const [what, chunks] of Object.entries(broken)) assert.ok(!isSeamless(chunks), what);
  });
});
