import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { collect, openSource, readAll, startTestSource, type TestSource } from '../../../test/support/source.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await source.run('create table moments as select i as id from generate_series(1, 20) i');
});
after(async () => {
  await source?.stop();
});

describe('a moment shared between sessions', () => {
  it('lets loads of another session see the same rows, also by connections it opens later', async () => {
    const first = await openSource(connector, source.config);
    const moment = await first.session.shareMoment?.({ signal });
    assert.ok(moment);
    assert.equal(await first.session.shareMoment?.({ signal }), moment, 'a session has one moment');
    await source.run('insert into moments values (21); delete from moments where id = 1');
    const second = await openSource(connector, source.config, { moment });
    try {
      for (const { session, stream } of [first, second]) {
        const read = await readAll(session, await stream('moments'));
        assert.deepEqual(
          read.rows.map(([id]) => Number(id)).toSorted((a, b) => a - b),
          Array.from({ length: 20 }, (_, index) => index + 1),
        );
        const counts = [1, 2, 3].map(async () => session.countRows(await stream('moments'), { signal }));
        assert.deepEqual(await Promise.all(counts), [20, 20, 20]);
      }
      assert.equal(await second.session.shareMoment?.({ signal }), moment);
    } finally {
      await second.session.close();
      await first.session.close();
    }
  });

  it('is gone with the session that shared it, and a load says so instead of seeing another moment', async () => {
    const first = await openSource(connector, source.config);
    const moment = await first.session.shareMoment?.({ signal });
    assert.ok(moment);
    await first.session.close();
    for (const gone of [moment, "x' ; select '1"]) {
      const { session } = await openSource(connector, source.config, { moment: gone });
      await assert.rejects(session.discover({ signal, threads: 1 }), {
        kind: 'connection_lost',
        message: /snapshot of this load is gone/,
      });
      await session.close();
    }
  });
});

describe('a load with one reader', () => {
  it('counts the rows of its moment while the reader is busy', async () => {
    const { session, stream } = await openSource(connector, { ...source.config, max_threads: 1 });
    try {
      const moments = await stream('moments');
      const rows = Number((await source.run('select count(*) from moments'))[0]?.['count']);
      const { chunks } = await session.planLoad(moments, { targetBytes: 2 ** 31, signal });
      await source.run('insert into moments values (99)');
      const counted = Promise.withResolvers<number>();
      const read = collect({
        sink: async () => counted.resolve(await session.countRows(moments, { signal })),
      });
      await session.readChunk(moments, { ...read, chunk: chunks[0]! });
      assert.equal(await counted.promise, rows);
    } finally {
      await session.close();
    }
  });

  it('ends a count when the session is closed', async () => {
    await source.run('create view slow as select id from moments, pg_sleep(60)');
    const { session, stream } = await openSource(connector, { ...source.config, max_threads: 1 });
    const slow = await stream('slow');
    await session.planLoad(slow, { targetBytes: 2 ** 31, signal });
    const counting = assert.rejects(session.countRows(slow, { signal }), { kind: 'cancelled' });
    await session.close();
    await counting;
  });
});
