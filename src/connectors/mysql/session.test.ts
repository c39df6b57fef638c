import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb, type TestMariadb } from '../../../test/support/mariadb.ts';
import { collect, openSource, readAll, type OpenedSource } from '../../../test/support/source.ts';
import type { Chunk, Cursor, Filter, StreamSelection } from '../kit/index.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();

let source: TestMariadb;
let opened: OpenedSource;

/** Tables by key, each with 1,000 rows of about 200 bytes. */
const KEYS: readonly (readonly [name: string, column: string, value: string])[] = [
  ['dense', 'int', 'seq'],
  ['sparse', 'bigint', 'seq * 1000000007'],
  ['negative', 'int', '500 - cast(seq as signed)'],
  ['huge', 'bigint unsigned', '18446744073709551615 - seq'],
  ['texts', 'varchar(40)', "concat(if(seq % 2, 'Key ', 'kEY '), seq, '''\\\\')"],
  ['bytes', 'varbinary(16)', 'unhex(md5(seq))'],
  ['fixed', 'binary(16)', 'unhex(md5(seq))'],
  ['decimals', 'decimal(30,10)', 'seq / 7'],
  ['days', 'date', "'2000-01-01' + interval seq day"],
  ['moments', 'datetime(6)', "'2000-01-01 00:00:00.000001' + interval seq * 37 second"],
  ['doubles', 'double', 'seq / 3'],
  ['uuids', 'uuid', 'uuid()'],
];

before(async () => {
  source = await startTestMariadb();
  for (const [name, type, value] of KEYS) {
    await source.run(`set sql_mode = 'NO_BACKSLASH_ESCAPES'; create table ${name} (k ${type} primary key, filler varchar(200));
      insert into ${name} select ${value}, repeat('x', 200) from seq_1_to_1000; analyze table ${name}`);
  }
  await source.run(`create table pairs (a int, b varchar(9), filler varchar(200), primary key (a, b));
    insert into pairs select seq % 10, seq, repeat('x', 200) from seq_1_to_1000; analyze table pairs;
    create table heap (a int); insert into heap select seq from seq_1_to_10;
    create view seen as select k, filler from dense where k <= 10;
    create table cursors (id int primary key, v int, w datetime(3));
    insert into cursors values (1, 10, null), (2, null, '2024-01-01 00:00:00.001'), (3, 20, '2025-01-01'),
      (4, null, null), (5, null, '2024-06-01'), (6, 20, null);
    create table \`o\`\`dd 'name"\` (\`k\`\`1\` int primary key, \`select\` varchar(20)); insert into \`o\`\`dd 'name"\` values (1, 'x''y');
    create table Cased (id int primary key, v int); create table changing (id int primary key, v int, w int);
    insert into changing values (1, 7, 8)`);
  opened = await openSource(connector, source.config);
});
after(async () => {
  await opened?.session.close();
  await source?.stop();
});

async function readChunks(selection: StreamSelection, chunks: readonly Chunk[]): Promise<string[]> {
  const collected = collect();
  for (const chunk of chunks) await opened.session.readChunk(selection, { ...collected, chunk });
  return collected.rows.map(([key]) => key ?? 'null');
}

describe('chunks by key', () => {
  for (const [name, type] of [...KEYS, ['pairs', 'two columns'] as const]) {
    it(`split a table with a key of ${type} so that each row is in one`, async () => {
      const selection = await opened.stream(name);
      const { chunks, estimatedRows } = await opened.session.planLoad(selection, { targetBytes: 32 * 1024, signal });
      assert.ok(chunks.length > 3 && chunks.length < 100, `${chunks.length} chunks`);
      assert.ok(estimatedRows > 500);
      const keys = await readChunks(selection, chunks);
      assert.equal(keys.length, 1000);
      if (name !== 'pairs') assert.equal(new Set(keys).size, 1000);
      assert.deepEqual(await readChunks(selection, JSON.parse(JSON.stringify(chunks)) as Chunk[]), keys);
    });
  }

  it('are counted beside the only reader, as it sees them', async () => {
    await source.run('create table counted (id int primary key); insert into counted values (1), (2), (3)');
    const other = await openSource(connector, { ...source.config, max_threads: 1 });
    try {
      const selection = await other.stream('counted');
      const { chunks } = await other.session.planLoad(selection, { targetBytes: 1, signal });
      await source.run('insert into counted values (4)');
      let counted: number | undefined;
      const sink = async (): Promise<void> => {
        counted = await other.session.countRows(selection, { signal });
      };
      await other.session.readChunk(selection, { ...collect({ sink }), chunk: chunks[0]! });
      assert.equal(counted, 3);
    } finally {
      await other.session.close();
    }
  });

  it('are one for tables without key and for views', async () => {
    for (const name of ['heap', 'seen']) {
      const selection = await opened.stream(name);
      const { chunks } = await opened.session.planLoad(selection, { targetBytes: 1, signal });
      assert.deepEqual(chunks, [{ min: null, max: null }]);
      assert.equal((await readChunks(selection, chunks)).length, 10);
    }
  });

  it('refuse a bound that is none, whatever it holds', async () => {
    const selection = await opened.stream('dense');
    const chunk = { min: '1 or 1=1', max: null };
    await assert.rejects(readChunks(selection, [chunk]), { kind: 'configuration_invalid' });
    const texts = await opened.stream('texts');
    assert.deepEqual(await readChunks(texts, [{ min: "' or 1=1 -- \\", max: "' or 1=1 -- \\" }]), []);
  });
});

describe('filters and cursors', () => {
  it('pass rows that the conditions let through, with values as they are', async () => {
    const count = async (filter: Filter): Promise<number> =>
      opened.session.countRows({ ...(await opened.stream('cursors')), filter }, { signal });
    const one = (column: string, operator: Filter['conditions'][number]['operator'], value: string | number | null) =>
      count({ combine: 'and', conditions: [{ column, operator, value }] });
    assert.equal(await one('v', '>=', 20), 2);
    assert.equal(await one('v', '!=', '10'), 2);
    assert.equal(await one('v', '=', null), 3);
    assert.equal(await one('w', '!=', null), 3);
    assert.equal(await one('w', '>', '2024-01-01'), 3);
    assert.equal(await one('w', '<=', '2024-01-01T00:00:00.001Z'), 1);
    await assert.rejects(one('v', '=', '1 or true'), {
      kind: 'configuration_invalid',
      message: /cannot be compared with "v"/,
    });
    await assert.rejects(one('nothing', '=', 1), { kind: 'configuration_invalid' });
    await assert.rejects(one('w', '=', "'; drop table cursors"), { kind: 'configuration_invalid' });
  });

  it('follow a cursor, and its fallback where it is null', async () => {
    const selection = await opened.stream('cursors');
    const cursor: Cursor = { column: 'v', fallback: 'w' };
    const upTo = await opened.session.maxCursor(selection, cursor);
    assert.deepEqual(upTo, { primary: '20', fallback: '2024-06-01T00:00:00.000000Z' });
    const collected = collect();
    const after_ = { primary: '20', fallback: '2024-01-01T00:00:00.001000Z' };
    await opened.session.readAfter(selection, { ...collected, cursor, after: after_, upTo });
    assert.deepEqual(
      collected.rows.map(([id]) => id),
      ['3', '6', '2', '5'],
    );
    const bound = { cursor, values: { primary: '10', fallback: '2024-01-01T00:00:00.001000Z' } };
    assert.equal(await opened.session.countRows(selection, { upTo: bound, signal }), 3);
  });

  it('refuse a cursor without an order', async () => {
    await source.run("create table marked (id int primary key, e enum('b', 'a'))");
    const other = await openSource(connector, source.config);
    const selection = await other.stream('marked');
    assert.equal(selection.columns[1]?.orderable, false);
    await assert.rejects(other.session.maxCursor(selection, { column: 'e' }), { kind: 'configuration_invalid' });
    await other.session.close();
  });
});

describe('tables as they are', () => {
  it('may have names that need quoting, and names that differ in case only', async () => {
    const selection = await opened.stream('o`dd \'name"');
    assert.deepEqual((await readAll(opened.session, selection)).rows, [['1', "x'y"]]);
    assert.deepEqual(
      (await opened.session.fetchByKey(selection, [['1']])).map(({ values }) => [...values]),
      [['1', "x'y"]],
    );
    await assert.rejects(opened.session.countRows({ ...selection, name: 'cased' }, { signal }), {
      kind: 'object_missing',
      message: /"shop.cased" does not exist/,
    });
  });

  it('are read as the types they were discovered with, when they changed since', async () => {
    const selection = await opened.stream('changing');
    await source.run('alter table changing modify v bigint, drop column w');
    const other = await openSource(connector, source.config);
    await assert.rejects(readAll(other.session, selection), {
      kind: 'object_missing',
      message: /"v".*bigint.*does not fit int/,
    });
    const wide = {
      ...selection,
      columns: selection.columns.map((column) =>
        column.name === 'v' ? { ...column, column: { ...column.column, type: { kind: 'string' } as const } } : column,
      ),
    };
    assert.deepEqual((await readAll(other.session, wide)).rows, [['1', '7', null]]);
    assert.match(other.lines.map(({ message }) => message).join('\n'), /"w".*is gone/);
    await other.session.close();
  });
});
