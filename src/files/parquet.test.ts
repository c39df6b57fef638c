import assert from 'node:assert/strict';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { makeFolder, openFolder, readContent, readStream } from './files.test-support.ts';

/** DuckDB writes the files: another implementation than the one that reads them. */
describe('a Parquet file', () => {
  let duck: DuckDBConnection;
  before(async () => {
    duck = await (await DuckDBInstance.create(':memory:')).connect();
  });
  after(() => duck.closeSync());

  async function write(test: Parameters<typeof makeFolder>[0], select: string, options = ''): Promise<string> {
    const folder = await makeFolder(test, { 'data/.keep': '' });
    await duck.run(`copy (${select}) to '${join(folder, 'data/a.parquet')}' (format parquet${options})`);
    return folder;
  }

  it('keeps numbers, decimals and times exact', async (test) => {
    const folder = await write(
      test,
      `select * from (values
        (true, 127::tinyint, 65535::usmallint, 4294967295::uinteger, 9007199254740993::bigint, 18446744073709551615::ubigint,
         1.5::float, 0.1::double, 123.45::decimal(5,2), 12345678901234.5678::decimal(18,4),
         -1234567890123456789012345678.9012345678::decimal(38,10)),
        (null, null, null, null, null, null, null, 'nan'::double, null, null, null))
       as t(flag, small, short, unsigned, big, huge, single, real, d5, d18, d38)`,
    );
    const { types, rows } = await readStream(openFolder(folder), 'data');
    assert.deepEqual(types, {
      flag: 'boolean',
      small: 'int',
      short: 'int',
      unsigned: 'long',
      big: 'long',
      huge: 'decimal(20,0)',
      single: 'float',
      real: 'double',
      d5: 'decimal(5,2)',
      d18: 'decimal(18,4)',
      d38: 'decimal(38,10)',
    });
    assert.deepEqual(rows, [
      // oxfmt-ignore
      ['true', '127', '65535', '4294967295', '9007199254740993', '18446744073709551615', '1.5', '0.1', '123.45', '12345678901234.5678', '-1234567890123456789012345678.9012345678'],
      [null, null, null, null, null, null, null, 'NaN', null, null, null],
    ]);
  });

  it('keeps texts, dates, times, uuids, enums and binary', async (test) => {
    const folder = await write(
      test,
      `select 'é😀' as text, date '2020-02-29' as day, date '0001-01-01' as first, timestamp '2020-01-02 03:04:05.123456' as at,
        timestamp_ms '2020-01-02 03:04:05.123' as milli, timestamp_ns '2020-01-02 03:04:05.123456789' as nano,
        timestamptz '2020-01-02 03:04:05+02' as zoned, time '01:02:03.000004' as clock,
        '7f3c2c1e-0000-4000-8000-000000000001'::uuid as id, 'b'::enum('a','b') as word, '\\x00\\xFF'::blob as bytes`,
    );
    const { rows, types } = await readStream(openFolder(folder), 'data');
    assert.deepEqual(
      Object.values(types).join(' '),
      'string timestamp timestamp timestamp timestamp timestamp timestamp string string string string',
    );
    assert.deepEqual(rows, [
      [
        'é😀',
        '2020-02-29T00:00:00.000000Z',
        '0001-01-01T00:00:00.000000Z',
        '2020-01-02T03:04:05.123456Z',
        '2020-01-02T03:04:05.123000Z',
        '2020-01-02T03:04:05.123456Z',
        '2020-01-02T01:04:05.000000Z',
        '01:02:03.000004',
        '7f3c2c1e-0000-4000-8000-000000000001',
        'b',
        'AP8=',
      ],
    ]);
  });

  it('gives nested values as JSON text, digits included', async (test) => {
    const folder = await write(
      test,
      `select * from (values
        ([9007199254740993, null], {'a': 1.10::decimal(4,2), 'b': ['x "y"'], 'c': timestamp '2020-01-01'}, map(['k'], [[1.5::decimal(38,1)]])),
        ([], {'a': null, 'b': null, 'c': null}, null), (null, null, map([], []))) as t(list, struct, pairs)`,
    );
    const { rows } = await readStream(openFolder(folder), 'data');
    assert.deepEqual(rows, [
      [
        '[9007199254740993,null]',
        String.raw`{"a":1.10,"b":["x \"y\""],"c":"2020-01-01T00:00:00.000000Z"}`,
        '{"k":[1.5]}',
      ],
      ['[]', '{"a":null,"b":null,"c":null}', null],
      [null, null, '{}'],
    ]);
  });

  for (const codec of ['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw']) {
    it(`compressed with ${codec} is read row group by row group in order, nulls and all`, async (test) => {
      const folder = await write(
        test,
        `select i as id, case when i % 3 = 0 then null else 'text ' || i end as text, i % 7 = 0 as flag,
           case when i % 5 = 0 then null else (i * 1.5)::decimal(12,1) end as amount from range(6000) t(i)`,
        `, codec ${codec}, row_group_size 2048`,
      );
      const { rows, batches } = await readStream(openFolder(folder), 'data', { batchRows: 1001 });
      const expected = Array.from({ length: 6000 }, (_, i) => [
        String(i),
        i % 3 === 0 ? null : `text ${i}`,
        String(i % 7 === 0),
        i % 5 === 0 ? null : (i * 1.5).toFixed(1),
      ]);
      assert.deepEqual(rows, expected);
      assert.ok(Math.max(...batches) <= 1001);
    });
  }

  it('is read in the widest type of all files of its stream, exactly or not at all', async (test) => {
    const folder = await makeFolder(test, { 'data/.keep': '' });
    const selects = {
      'a.parquet':
        "select 1::int as n, 2::int as m, 1.5::decimal(4,1) as d, true as b, 'x' as s, 9007199254740993 as w",
      'b.parquet':
        'select 2.5::double as n, 9000000000 as m, 2.25::decimal(10,4) as d, 7 as b, 5 as s, 0.5::double as w',
    };
    for (const [name, select] of Object.entries(selects)) {
      await duck.run(`copy (${select}) to '${join(folder, 'data', name)}' (format parquet)`);
    }
    const { types, rows, refused } = await readStream(openFolder(folder), 'data');
    assert.deepEqual(types, { n: 'double', m: 'long', d: 'decimal(10,4)', b: 'int', s: 'string', w: 'double' });
    assert.deepEqual(rows, [['2.5', '9000000000', '2.2500', '7', '5', '0.5']]);
    assert.match(refused[0]!.reason, /9007199254740993 does not fit double/);
    assert.match(refused[0]!.key, /a\.parquet:1$/);
    const { w, ...values } = refused[0]!.values!();
    assert.deepEqual(values, { n: '1', m: '2', d: '1.5000', b: '1', s: 'x' });
    assert.equal(w, null, 'the value that could not be read');
  });

  it('of real flights has as many rows, with the same values, as DuckDB reads', async (test) => {
    const path = join(import.meta.dirname, '../../node_modules/vega-datasets/data/flights-3m.parquet');
    const folder = await write(test, `select * from '${path}' limit 50000`);
    const { rows } = await readStream(openFolder(folder), 'data');
    const answer = await duck.runAndReadAll(
      `select strftime(date, '%Y-%m-%dT%H:%M:%S.%fZ'), delay::varchar, distance::varchar, origin, destination from '${path}' limit 50000`,
    );
    assert.deepEqual(rows, answer.getRows());
  });

  it('that is written to while it is read ends the read, to be tried again', async (test) => {
    const folder = await write(test, 'select i from range(1000) t(i)');
    const sink = (): Promise<void> => appendFile(join(folder, 'data/a.parquet'), 'more');
    const read = readStream(openFolder(folder), 'data', { sink });
    await assert.rejects(read, { kind: 'connection_lost', message: /a\.parquet grew, after it was listed/ });
  });

  it('that is cut, altered or none at all is refused with its name', async (test) => {
    const folder = await write(test, "select i, 'text ' || i as t from range(1000) t(i)");
    const whole = await readFile(join(folder, 'data/a.parquet'));
    const cases = [
      whole.subarray(0, whole.length - 20),
      Buffer.from('PAR1'),
      Buffer.alloc(0),
      Buffer.from('id,name\n1,2\n'),
    ];
    for (const content of cases) {
      const read = readContent(test, { name: 'x.parquet', content });
      await assert.rejects(read, { kind: 'value_refused', message: /x\.parquet cannot be read as Parquet/ });
    }
    const altered = Buffer.from(whole);
    altered.fill(0xff, 10, 200);
    await assert.rejects(readContent(test, { name: 'x.parquet', content: altered }), { kind: 'value_refused' });
  });
});
