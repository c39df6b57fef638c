import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readChanges, startTestLog, type TestLog } from '../../../../test/support/changes.ts';
import { readAll, type OpenedSource } from '../../../../test/support/source.ts';
import { applyChanges, type KeptChange } from '../../kit/conformance/changes-place.ts';
import type { Filter, StreamSelection } from '../../kit/index.ts';
import { connector } from '../index.ts';

const { signal } = new AbortController();

let source: TestLog;

before(async () => {
  source = await startTestLog(connector, { settings: { logical_decoding_work_mem: '64kB' } });
});
after(async () => {
  await source?.stop();
});

interface Happening {
  readonly table: string;
  readonly before: string;
  /** What happens while the log is read. */
  readonly work: string;
  /** What happens after it, before it is read. */
  readonly later?: string;
  readonly filter?: Filter;
}

/** The changes that `work` makes, and the table as it is afterwards. */
async function changesOf(happening: Happening): Promise<{ changes: KeptChange[]; final: Texts[]; loaded: Texts[] }> {
  await source.run(happening.before);
  return source.inSession(async (opened) => {
    const stream: StreamSelection = { ...(await opened.stream(happening.table)), filter: happening.filter };
    const log = opened.session.changeLog!;
    await log.check([stream], { signal });
    const from = await log.end({ signal });
    const loaded = await source.inSession(async (other) => (await readAll(other.session, stream)).rows);
    await source.run(happening.work);
    const upTo = await log.end({ signal });
    if (happening.later !== undefined) await source.run(happening.later);
    const { changes } = await readChanges(opened.session, { streams: [stream], from, upTo });
    const final = await source.inSession(async (other) => (await readAll(other.session, stream)).rows);
    return { changes, final, loaded };
  });
}

type Texts = readonly (string | null)[];

/** A row in one line; long values by length and first character. */
const line = (row: Texts): string =>
  row.map((value) => (value !== null && value.length > 30 ? `${value.length}×${value[0]}` : value)).join('|');
const brief = ({ operation, row }: KeptChange): string => `${operation} ${line(row)}`;
const sorted = (rows: readonly Texts[]): string[] => rows.map(line).toSorted();

/** Long texts that the server keeps out of line and cannot compress. */
const LONG = `(select string_agg(md5(i::text), '') from generate_series(1, 500) i)`;

describe('values that an update leaves alone', () => {
  it('are fetched from the table when they are kept out of line; a row that is gone has none', async () => {
    const { changes } = await changesOf({
      table: 'long',
      before: `create table long (id int primary key, n int, a text, b jsonb, c bytea);
        insert into long select i, 0, ${LONG}, to_jsonb(${LONG}), convert_to(${LONG}, 'utf8') from generate_series(1, 3) i`,
      work: `update long set n = 1 where id = 1; update long set n = 2 where id = 2; delete from long where id = 2;
        update long set n = 3, a = 'short' where id = 3; update long set n = 4 where id = 3`,
    });
    assert.deepEqual(changes.map(brief), [
      'updated 1|1|16000×c|16002×"|32002×\\',
      'updated 2|2|||',
      'deleted 2||||',
      'updated 3|3|short|16002×"|32002×\\',
      'updated 3|4|short|16002×"|32002×\\',
    ]);
  });

  it('come from the old row under REPLICA IDENTITY FULL, whatever the table holds by now', async () => {
    const { changes } = await changesOf({
      table: 'entire',
      before: `create table entire (id int primary key, n int, a text); alter table entire replica identity full;
        insert into entire values (1, 0, ${LONG})`,
      work: `update entire set n = 1; update entire set id = 2; delete from entire`,
    });
    assert.deepEqual(changes.map(brief), [
      'updated 1|1|16000×c',
      'deleted 1|1|16000×c',
      'inserted 2|1|16000×c',
      'deleted 2|1|16000×c',
    ]);
  });

  it('follow keys of several columns and types', async () => {
    const { changes, final } = await changesOf({
      table: 'keyed',
      before: `create table keyed (b timestamptz, a numeric(10,2), c bool, long text, n int, primary key (a, b, c));
        insert into keyed select '2024-05-06 07:08:09.1+02', 1.5, true, ${LONG}, 0;
        insert into keyed select '2024-05-06 07:08:09', -2, false, ${LONG}, 0`,
      work: `update keyed set n = n + 1`,
    });
    assert.equal(changes.length, 2);
    assert.deepEqual(
      changes.map(({ row }) => row),
      final,
    );
  });

  it('are fetched for columns that the server computes and the log leaves out', async () => {
    const { changes } = await changesOf({
      table: 'computed',
      before: `create table computed (id int primary key, n int, twice int generated always as (n * 2) stored)`,
      work: `insert into computed values (1, 5), (2, 6); update computed set n = 7 where id = 1; delete from computed where id = 2`,
    });
    assert.deepEqual(changes.map(brief), ['inserted 1|5|14', 'inserted 2|6|', 'updated 1|7|14', 'deleted 2||']);
  });
});

describe('a column whose type changes', () => {
  it('is read in its new type, also where the log holds it in the old one', async () => {
    await source.run(`create table widened (id int primary key, i int, d numeric(5,2), f real, v interval, at date);
      insert into widened values (0, 0, 0, 0, '1 day', '2024-01-01')`);
    await source.inSession(async (opened) => {
      const from = await opened.session.changeLog!.end({ signal });
      await source.run(`insert into widened values (1, 2147483647, 1.5, 0.1, '1 day', '2024-05-06')`);
      await source.run(`alter table widened alter i type bigint, alter d type numeric(12,4), alter f type float8,
        alter v type text, alter at type timestamptz;
        insert into widened values (2, 4294967296, 1.2345, 0.1, 'x', '2024-05-06 07:08:09+02')`);
      const { end, changes } = await readChanges(opened.session, { streams: [await opened.stream('widened')], from });
      assert.equal(end.reason, 'reached');
      assert.deepEqual(changes.map(brief), [
        `inserted 1|2147483647|1.5000|${Math.fround(0.1)}|1 day|2024-05-06T00:00:00.000000Z`,
        'inserted 2|4294967296|1.2345|0.1|x|2024-05-06T05:08:09.000000Z',
      ]);
    });
  });

  it('ends the read once, so that it goes on with the new type', async () => {
    await source.run('create table retyped (id int primary key, i int)');
    await source.inSession(async (opened) => {
      const stream = await opened.stream('retyped');
      const from = await opened.session.changeLog!.end({ signal });
      const control = new AbortController();
      let isAltered = false;
      const sink = async (): Promise<void> => {
        if (isAltered) return;
        isAltered = true;
        await source.run('alter table retyped alter i type bigint; insert into retyped values (2, 4294967296)');
      };
      await source.run('insert into retyped values (1, 1)');
      const work = { signal: control.signal, upTo: 'FFFFFFFF/0', sink };
      const { end, boundaries } = await readChanges(opened.session, { ...work, streams: [stream], from });
      assert.deepEqual(end, { reason: 'columns changed', streams: [0] });
      const rest = await readChanges(opened.session, {
        streams: [await opened.stream('retyped')],
        from: boundaries.at(-1)!.position,
      });
      assert.deepEqual(rest.changes.map(brief), ['inserted 2|4294967296']);
    });
  });
});

describe('the identity of rows', () => {
  it('is every value in a table without a key', async () => {
    const { changes } = await changesOf({
      table: 'keyless',
      before: `create table keyless (a int, b text); alter table keyless replica identity full`,
      work: `insert into keyless values (1, 'x'); update keyless set b = 'y'; delete from keyless`,
    });
    assert.deepEqual(changes.map(brief), ['inserted 1|x', 'deleted 1|x', 'inserted 1|y', 'deleted 1|y']);
  });

  it('may be an index that covers the key', async () => {
    const { changes } = await changesOf({
      table: 'indexed',
      before: `create table indexed (id int primary key, code text not null);
        create unique index by_code on indexed (code, id); alter table indexed replica identity using index by_code`,
      work: `insert into indexed values (1, 'x'); update indexed set code = 'y'; update indexed set id = 2; delete from indexed`,
    });
    assert.deepEqual(changes.map(brief), ['inserted 1|x', 'updated 1|y', 'deleted 1|y', 'inserted 2|y', 'deleted 2|y']);
  });

  it('is that of the parent for a partitioned table, also when a row moves', async () => {
    await source.run(`alter publication everything set (publish_via_partition_root = true)`);
    const { changes, final, loaded } = await changesOf({
      table: 'parted',
      before: `create table parted (id int, part int, note text, primary key (id, part)) partition by list (part);
        create table parted_1 partition of parted for values in (1);
        create table parted_2 (note text, part int not null, id int not null);
        alter table parted_2 add primary key (id, part); alter table parted attach partition parted_2 for values in (2)`,
      work: `insert into parted values (1, 1, 'a'), (2, 2, 'b'); update parted set part = 2 where id = 1;
        update parted set note = 'c' where id = 2`,
    });
    assert.deepEqual(sorted(applyChanges(loaded, changes, false)), sorted(final));
    assert.deepEqual(changes.map(brief), [
      'inserted 1|1|a',
      'inserted 2|2|b',
      'deleted 1|1|',
      'inserted 1|2|a',
      'updated 2|2|c',
    ]);
  });
});

describe('a filter on changes', () => {
  const where = (
    column: string,
    operator: Filter['conditions'][number]['operator'],
    value: string | number | null,
  ) => ({
    column,
    operator,
    value,
  });
  const cases: [string, Filter['conditions']][] = [
    ['int', [where('i', '>', 3)]],
    ['decimals', [where('d', '<=', '2.50')]],
    ['times', [where('t', '>=', '2024-01-03')]],
    ['texts', [where('s', '=', 'n4')]],
    ['order of texts', [where('s', '>', 'n4')]],
    ['null', [where('s', '!=', null)]],
    ['null and more', [where('s', '=', null), where('i', '<', 4)]],
    ['out of line', [where('l', '!=', 'x')]],
    ['types of the server', [where('v', '>', '1.0')]],
  ];
  it('lets the same rows in as the filter of a load, for every type', async () => {
    for (const combine of ['and', 'or'] as const) {
      for (const [index, [name, conditions]] of cases.entries()) {
        const table = `sieve_${combine}_${index}`;
        const { changes, final, loaded } = await changesOf({
          table,
          filter: { combine, conditions },
          before: `create table ${table} (id int primary key, i int, d numeric(5,2), t timestamp, s text, l text, v interval);
            insert into ${table} select id, id, id, date '2024-01-01' + id, 'n' || id, ${LONG}, '1 day' from generate_series(1, 4) id`,
          work: `insert into ${table} select id, id, id, date '2024-01-01' + id, 'n' || id, 'x', id * interval '1 s' from generate_series(5, 8) id;
            update ${table} set i = 8 - i, d = 8 - d, t = t + interval '2 days', s = nullif('n' || 9 - id, 'n5'), v = '2 s';
            update ${table} set id = 20 where id = 2; delete from ${table} where id = 3`,
        });
        const applied = applyChanges(loaded, changes, false);
        assert.deepEqual(sorted(applied), sorted(final), `${combine} ${name}`);
      }
    }
  });
});

describe('a transaction that is larger than the memory for it', () => {
  it('comes whole, without what its subtransactions took back', async () => {
    const open = async (opened: OpenedSource): Promise<void> => {
      const stream = await opened.stream('huge');
      const from = await opened.session.changeLog!.end({ signal });
      await source.run(`begin; insert into huge select i, repeat('a', 2000) from generate_series(1, 12000) i;
        savepoint one; insert into huge select i, repeat('b', 2000) from generate_series(20001, 22000) i; rollback to one;
        savepoint two; insert into huge select i, repeat('c', 2000) from generate_series(30001, 32000) i; release two;
        update huge set id = id + 100000 where id = 1; commit`);
      await source.run(
        `begin; insert into huge select i, repeat('z', 2000) from generate_series(50001, 52000) i; rollback`,
      );
      const { changes, boundaries } = await readChanges(opened.session, { streams: [stream], from });
      assert.equal(changes.length, 14_002);
      assert.deepEqual(new Set(changes.map(({ row }) => row[1]?.[0] ?? '')), new Set(['a', 'c', '']));
      assert.deepEqual(
        [...new Set(boundaries.map((boundary) => boundary.changes))],
        [0, 14_002].slice(-boundaries.length),
      );
      assert.deepEqual(changes.slice(-2).map(brief), ['deleted 1|', 'inserted 100001|2000×a']);
    };
    await source.run('create table huge (id int primary key, filler text)');
    await source.inSession(open);
  });
});
