import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../../errors.ts';
import {
  collect,
  openSource,
  readAll,
  startTestSource,
  type OpenedSource,
  type TestSource,
} from '../../../test/support/source.ts';
import type { Cursor, CursorValues, Filter, StreamSelection } from '../kit/index.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();
const NOTHING: CursorValues = { primary: null, fallback: null };

let source: TestSource;

before(async () => {
  source = await startTestSource();
});
after(async () => {
  await source?.stop();
});

/** Every session sees the moment of its first load, so each test opens its own. */
async function inSession<T>(work: (opened: OpenedSource) => Promise<T>, config: object = {}): Promise<T> {
  const opened = await openSource(connector, { ...source.config, ...config });
  try {
    return await work(opened);
  } finally {
    await opened.session.close();
  }
}

const ids = (rows: readonly (readonly (string | null)[])[]): number[] =>
  rows.map((row) => Number(row[0])).toSorted((a, b) => a - b);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('a load in chunks', () => {
  it('reads every row of a table exactly once over all page ranges', async () => {
    await source.run(`create table pages as select i as id, repeat('x', 200) as filler from generate_series(1, 5000) i;
      delete from pages where id % 50 = 0; insert into pages select i, '' from generate_series(1, 100) i where i % 50 = 0;
      delete from pages where id > 4000; analyze pages`);
    await inSession(async ({ session, stream }) => {
      const { rows, chunks } = await readAll(session, await stream('pages'), { targetBytes: 100_000 });
      assert.ok(chunks.length > 5, `${chunks.length} chunks`);
      assert.equal(chunks.at(-1)?.max, null);
      assert.match(chunks[1]?.min ?? '', /^'\(\d+,0\)'$/);
      assert.deepEqual(
        ids(rows),
        upTo(4000).filter((id) => id % 50 !== 0 || id <= 100),
      );
    });
  });

  it('reads a partitioned table by its partitions, also nested, foreign in order and empty', async () => {
    await source.run(`create table events (id int, at date, kind text) partition by range (at);
      create table "events 2023" (kind text, id int, at date);
      alter table events attach partition "events 2023" for values from ('2023-01-01') to ('2024-01-01');
      create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01') partition by list (kind);
      create table events_2024_a partition of events_2024 for values in ('a');
      create table events_2024_b partition of events_2024 default;
      create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
      insert into events select i, date '2023-01-01' + i % 700, case i % 3 when 0 then 'a' else 'b' end from generate_series(1, 3000) i;
      analyze events`);
    await inSession(async ({ session, stream }) => {
      const found = await session.discover({ signal, threads: 1 });
      assert.deepEqual(
        found.filter((one) => one.name.startsWith('events')).map((one) => one.name),
        ['events'],
      );
      const { rows, chunks } = await readAll(session, await stream('events'), { targetBytes: 20_000 });
      assert.ok(chunks.length > 4);
      assert.deepEqual(ids(rows), upTo(3000));
      assert.equal(await session.countRows(await stream('events'), { signal }), 3000);
    });
  });

  it('reads views and materialized views', async () => {
    await source.run(`create table base as select i as id from generate_series(1, 300) i;
      create view seen as select id, id * 2 as twice from base where id <= 200;
      create materialized view kept as select id from base`);
    await inSession(async ({ session, stream }) => {
      assert.deepEqual(ids((await readAll(session, await stream('seen'))).rows), upTo(200));
      assert.deepEqual(ids((await readAll(session, await stream('kept'))).rows), upTo(300));
    });
  });

  for (const [type, literal] of [
    ['int', 'i'],
    ['bigint', 'i * 4611686018427387'],
    ['text', "'key ' || i || ''''"],
  ]) {
    it(`splits by a chosen ${type} column, nulls included`, async () => {
      await source.run(`drop table if exists keyed; create table keyed (id int, key ${type});
        insert into keyed select i, case when i % 10 > 0 then ${literal} end from generate_series(1, 2000) i; analyze keyed`);
      await inSession(async ({ session, stream }) => {
        const selection = { ...(await stream('keyed')), chunkColumn: 'key' };
        const { rows, chunks } = await readAll(session, selection, { targetBytes: 10_000 });
        assert.ok(chunks.length > 3, `${chunks.length} chunks`);
        assert.deepEqual(ids(rows), upTo(2000));
      });
    });
  }

  it('sees one moment in all readers, whatever is written meanwhile', async () => {
    await source.run(`create table moving as select i as id from generate_series(1, 2000) i; analyze moving`);
    await inSession(async ({ session, stream }) => {
      const selection = await stream('moving');
      const { chunks } = await session.planLoad(selection, { targetBytes: 20_000, signal });
      await source.run(`insert into moving select i from generate_series(2001, 3000) i; delete from moving where id <= 500;
        update moving set id = id where id < 700`);
      const reads = chunks.map(async (chunk) => {
        const collected = collect();
        await session.readChunk(selection, { ...collected, chunk });
        return collected.rows;
      });
      assert.deepEqual(ids((await Promise.all(reads)).flat()), upTo(2000));
      assert.equal(await session.countRows(selection, { signal }), 2000);
    });
    await inSession(async ({ session, stream }) => {
      assert.equal(await session.countRows(await stream('moving'), { signal }), 2500);
    });
  });

  it('names another generation once the table was rewritten', async () => {
    await source.run('create table rewritten as select 1 as id');
    const generation = () =>
      inSession(
        async ({ session, stream }) =>
          (await session.planLoad(await stream('rewritten'), { targetBytes: 1000, signal })).generation,
      );
    const first = await generation();
    assert.equal(await generation(), first);
    await source.run('truncate rewritten');
    assert.notEqual(await generation(), first);
  });

  it('closes a batch at the row limit and at the byte limit', async () => {
    await source.run(`create table bulky as select i as id, repeat('y', 1000) as t from generate_series(1, 1000) i`);
    await inSession(async ({ session, stream }) => {
      const byRows = await readAll(session, await stream('bulky'), { batchRows: 300 });
      assert.deepEqual(byRows.batches, [300, 300, 300, 100]);
      const byBytes = await readAll(session, await stream('bulky'), { batchBytes: 100_000 });
      assert.ok(Math.max(...byBytes.batches) <= 100, String(byBytes.batches));
      assert.deepEqual(ids(byBytes.rows), upTo(1000));
    });
  });

  it('reads empty tables, tables without columns and selections without columns', async () => {
    await source.run(`create table empty (id int, t text); create table bare (); insert into bare select from generate_series(1, 5);
      create table plain as select i as id from generate_series(1, 7) i`);
    await inSession(async ({ session, stream }) => {
      assert.deepEqual((await readAll(session, await stream('empty'))).batches, []);
      assert.deepEqual((await readAll(session, await stream('bare'))).batches, [5]);
      assert.deepEqual((await readAll(session, { ...(await stream('plain')), columns: [] })).batches, [7]);
    });
  });

  it('reads a thousand columns', async () => {
    const columns = Array.from(
      { length: 1000 },
      (_, i) => `c${i} ${['int', 'text', 'numeric(12,2)', 'timestamp'][i % 4]}`,
    );
    await source.run(`create table wide (${columns.join(',')})`);
    const values = columns.map(
      (_, i) => [`${i}`, `'t${i}'`, `${i}.25`, `'2024-01-01 00:00:00.${String(i).padStart(6, '0')}'`][i % 4],
    );
    for (let row = 0; row < 3; row++) {
      await source.run(`insert into wide values (${values.map((v, i) => ((i + row) % 5 ? v : 'null')).join(',')})`);
    }
    const texts = columns.map(
      (_, i) => [`${i}`, `t${i}`, `${i}.25`, `2024-01-01T00:00:00.${String(i).padStart(6, '0')}Z`][i % 4],
    );
    await inSession(async ({ session, stream }) => {
      const { rows } = await readAll(session, await stream('wide'));
      const expected = [0, 1, 2].map((row) => texts.map((text, i) => ((i + row) % 5 ? text : null)));
      assert.deepEqual(rows, expected);
    });
  });

  it('reads tables and columns with hostile names', async () => {
    const names = ['"; drop table secrets; --', "it's", 'Größe 🦆', 'a\nb', '\\x', '${process.exit(1)}', '`', '*/'];
    const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
    await source.run(`create table secrets (id int); create schema ${quote(names[0]!)};
      create table ${quote(names[0]!)}.${quote(names[1]!)} (${names.map((name) => `${quote(name)} text`).join(',')});
      insert into ${quote(names[0]!)}.${quote(names[1]!)} values (${names.map((_, i) => `'v${i}'`).join(',')})`);
    await inSession(async ({ session, stream }) => {
      const selection = await stream(names[1]!, names[0]);
      const cursor = { column: names[0]!, fallback: names[5] };
      assert.deepEqual((await readAll(session, selection)).rows, [names.map((_, i) => `v${i}`)]);
      assert.deepEqual(await session.maxCursor(selection, cursor), { primary: 'v0', fallback: null });
      const filter: Filter = {
        combine: 'and',
        conditions: [{ column: names[2]!, operator: '=', value: "' or 1=1 --" }],
      };
      assert.equal(await session.countRows({ ...selection, filter }, { signal }), 0);
    });
    assert.deepEqual(await source.run('select count(*)::int as n from secrets'), [{ n: 0 }]);
  });
});

describe('a table that changed since it was discovered', () => {
  it('is read as the types of the catalog where that loses nothing, and refused otherwise', async () => {
    await source.run(`create table changing (id int, small int, gone text, number numeric(6,2), word int);
      insert into changing values (1, 2, 'x', 3.25, 4)`);
    const selection = await inSession(({ stream }) => stream('changing'));
    await source.run(`alter table changing alter word type bigint, drop gone, alter number type numeric(5,1)`);
    const asText: StreamSelection = {
      ...selection,
      columns: selection.columns.map((c) =>
        c.name === 'small' ? { ...c, column: { ...c.column, type: { kind: 'string' } } } : c,
      ),
    };
    const readable = { ...asText, columns: asText.columns.filter((column) => column.name !== 'word') };
    await inSession(async ({ session, lines }) => {
      assert.deepEqual((await readAll(session, readable)).rows, [['1', '2', null, '3.30']]);
      assert.match(lines.map((line) => line.message).join(), /"gone" .* is gone/);
    });
    await inSession(async ({ session }) => {
      await assert.rejects(readAll(session, selection), (error: Failure) => {
        assert.equal(error.kind, 'object_missing');
        assert.match(error.message, /"word".*bigint/);
        return true;
      });
    });
    await source.run('drop table changing');
    await inSession(async ({ session }) => {
      await assert.rejects(readAll(session, selection), { kind: 'object_missing', message: /changing/ });
    });
  });
});

describe('an incremental read', () => {
  const cursor: Cursor = { column: 'seen', fallback: 'id' };
  const idsBetween = async (
    session: OpenedSource['session'],
    selection: StreamSelection,
    [from, to]: readonly [CursorValues, CursorValues],
  ) => {
    const collected = collect({ batchRows: 2 });
    await session.readAfter(selection, { ...collected, cursor, after: from, upTo: to });
    return collected.rows.map((row) => Number(row[0]));
  };

  it('takes ties again, orders by the cursor, and follows the fallback where the cursor is null', async () => {
    await source.run(`create table log (id bigint primary key, seen timestamptz);
      insert into log values (1, '2024-01-01'), (2, '2024-01-02'), (3, null), (4, '2024-01-02'), (5, null)`);
    await inSession(async ({ session, stream }) => {
      const selection = await stream('log');
      const first = await session.maxCursor(selection, cursor);
      assert.deepEqual(first, { primary: '2024-01-02T00:00:00.000000Z', fallback: '5' });
      await source.run(
        `insert into log values (6, '2024-01-02'), (7, '2024-01-04'), (8, '2024-01-03'), (9, null), (10, '2023-01-01')`,
      );
      const { rows } = await readAll(session, selection, { upTo: { cursor, values: first } });
      assert.deepEqual(ids(rows), [1, 2, 3, 4, 5, 6, 10]);
      assert.equal(await session.countRows(selection, { upTo: { cursor, values: first }, signal }), 7);
    });
    await inSession(async ({ session, stream }) => {
      const selection = await stream('log');
      const from = { primary: '2024-01-02T00:00:00.000000Z', fallback: '5' };
      const to = await session.maxCursor(selection, cursor);
      assert.deepEqual(to, { primary: '2024-01-04T00:00:00.000000Z', fallback: '9' });
      const read = await idsBetween(session, selection, [from, to]);
      assert.deepEqual(read.slice(0, 3).toSorted(), [2, 4, 6]);
      assert.deepEqual(read.slice(3), [8, 7, 5, 9]);
      assert.deepEqual(await idsBetween(session, selection, [NOTHING, from]), [10, 1, ...read.slice(0, 3), 3, 5]);
      assert.deepEqual(await idsBetween(session, selection, [from, NOTHING]), []);
    });
  });

  it('keeps microseconds, 64-bit integers and exact decimals of a cursor', async () => {
    await source.run(`create table exact (seen timestamp, big bigint, price numeric(30,10), word text, open timestamp);
      insert into exact values ('2024-01-01 00:00:00.000001', 9007199254740993, 12345678901234567890.0123456789, 'z''\\', '2024-01-01'),
        ('2024-01-01 00:00:00.000002', 9007199254740995, 12345678901234567890.0123456791, 'zz', 'infinity')`);
    const values = {
      seen: '2024-01-01T00:00:00.000002Z',
      big: '9007199254740995',
      price: '12345678901234567890.0123456791',
      word: 'zz',
      open: '9999-12-31T23:59:59.999999Z',
    };
    await inSession(async ({ session, stream }) => {
      const selection = await stream('exact');
      for (const [column, primary] of Object.entries(values)) {
        const max = await session.maxCursor(selection, { column });
        assert.deepEqual(max, { primary, fallback: null }, column);
        const collected = collect();
        await session.readAfter(selection, { ...collected, cursor: { column }, after: max, upTo: max });
        assert.equal(collected.rows.length, 1, column);
        assert.equal(
          await session.countRows(selection, { upTo: { cursor: { column }, values: max }, signal }),
          2,
          column,
        );
      }
    });
  });

  it('refuses a cursor without an order', async () => {
    await source.run('create table unordered (id int, doc jsonb, list int[])');
    await inSession(async ({ session, stream }) => {
      const selection = await stream('unordered');
      assert.deepEqual(
        selection.columns.map((column) => column.orderable),
        [true, false, false],
      );
      await assert.rejects(session.maxCursor(selection, { column: 'doc' }), { kind: 'configuration_invalid' });
      assert.deepEqual(await session.maxCursor(selection, { column: 'id' }), NOTHING);
    });
  });
});

describe('a filter', () => {
  it('is applied to loads, counts, cursors and later reads', async () => {
    await source.run(
      `create table filtered as select i as id, case when i % 4 > 0 then i % 3 end as part, 'n' || i as name from generate_series(1, 100) i`,
    );
    const all = upTo(100);
    const cases: [Filter, (id: number) => boolean][] = [
      [
        {
          combine: 'and',
          conditions: [
            { column: 'id', operator: '>', value: 10 },
            { column: 'part', operator: '=', value: '2' },
          ],
        },
        (id) => id > 10 && id % 4 > 0 && id % 3 === 2,
      ],
      [
        {
          combine: 'or',
          conditions: [
            { column: 'id', operator: '<=', value: '3' },
            { column: 'part', operator: '=', value: null },
          ],
        },
        (id) => id <= 3 || id % 4 === 0,
      ],
      [
        {
          combine: 'and',
          conditions: [
            { column: 'part', operator: '!=', value: null },
            { column: 'name', operator: '!=', value: 'n5' },
          ],
        },
        (id) => id % 4 > 0 && id !== 5,
      ],
    ];
    for (const [filter, passes] of cases) {
      const expected = all.filter(passes);
      await inSession(async ({ session, stream }) => {
        const selection = { ...(await stream('filtered')), filter };
        assert.deepEqual(ids((await readAll(session, selection)).rows), expected);
        assert.equal(await session.countRows(selection, { signal }), expected.length);
        const max = await session.maxCursor(selection, { column: 'id' });
        assert.deepEqual(max, { primary: String(expected.at(-1)), fallback: null });
        const collected = collect();
        const from = { primary: '50', fallback: null };
        await session.readAfter(selection, { ...collected, cursor: { column: 'id' }, after: from, upTo: max });
        assert.deepEqual(
          ids(collected.rows),
          expected.filter((id) => id >= 50),
        );
      });
    }
  });

  it('is refused when it names an unknown column or compares what cannot be compared', async () => {
    await source.run('create table simple as select 1 as id');
    await inSession(async ({ session, stream }) => {
      const selection = await stream('simple');
      const count = (condition: Filter['conditions'][number]) =>
        session.countRows({ ...selection, filter: { combine: 'and', conditions: [condition] } }, { signal });
      await assert.rejects(count({ column: 'nope', operator: '=', value: 1 }), { kind: 'configuration_invalid' });
      await assert.rejects(count({ column: 'id', operator: '<', value: null }), { kind: 'configuration_invalid' });
      await assert.rejects(count({ column: 'id', operator: '<', value: 'ten' }), { kind: 'value_refused' });
    });
  });
});
