import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb, type TestMariadb } from '../../../test/support/mariadb.ts';
import { openSource, type OpenedSource } from '../../../test/support/source.ts';
import { createDigester, type DigestBucket, type StreamSelection } from '../kit/index.ts';
import { GOLDENS } from './goldens.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();
const BUCKETS = 8;

let source: TestMariadb;
let opened: OpenedSource;

before(async () => {
  source = await startTestMariadb();
  for (const [at, [declared, , values]] of GOLDENS.entries()) {
    const rows = values.map(([literal], index) => `(${index}, ${literal})`);
    await source.run(`create table golden_${at} (id int primary key, v ${declared}); set sql_mode = 'NO_BACKSLASH_ESCAPES';
      insert into golden_${at} values ${rows.join(', ')}, (${values.length}, null)`);
  }
  await source.run(`create table wide (a varchar(9) character set latin1, b int, label text, at datetime(6), primary key (a, b));
    insert into wide select concat('é', seq), seq, concat('label ', seq), '2024-01-01 00:00:00.000001' + interval seq minute
      from seq_1_to_200;
    create table keyless (v decimal(9,2)); insert into keyless values (1.5), (1.5), (-0.01);
    create table nothing (id int primary key);
    create table long_row (id int primary key, v longtext, w longtext);
    insert into long_row values (1, repeat('a', 10000000), repeat('b', 10000000))`);
  opened = await openSource(connector, source.config);
});
after(async () => {
  await opened?.session.close();
  await source?.stop();
});

/** The digest of the rows as the readers bring them. */
async function digestOfRead(stream: StreamSelection, columns: readonly string[]): Promise<readonly DigestBucket[]> {
  const places = (names: readonly string[]): number[] =>
    names.map((name) => stream.columns.findIndex((column) => column.name === name));
  const digester = createDigester({ columns: places(columns), key: places(stream.primaryKey), buckets: BUCKETS });
  const { chunks } = await opened.session.planLoad(stream, { targetBytes: 1 << 20, signal });
  for (const chunk of chunks) {
    await opened.session.readChunk(stream, {
      chunk,
      signal,
      sink: async (batch) => digester.add(batch),
      refuse: (row) => assert.fail(row.reason),
      batchRows: 3,
      batchBytes: 1 << 20,
    });
  }
  return digester.finish();
}

const digestOf = (stream: StreamSelection) => opened.session.digest!(stream, { buckets: BUCKETS, signal });

describe('the server computes the same digest as the rows that are read from it', () => {
  for (const [at, [declared, lake]] of GOLDENS.entries()) {
    const isFloat = lake === 'float' || lake === 'double';
    it(`for ${declared}${isFloat ? ', which is left out' : ''}`, async () => {
      const stream = await opened.stream(`golden_${at}`);
      const { columns, buckets } = await digestOf(stream);
      assert.deepEqual(columns, isFloat ? ['id'] : ['id', 'v']);
      assert.deepEqual(buckets, await digestOfRead(stream, columns));
    });
  }

  for (const name of ['wide', 'keyless', 'nothing']) {
    it(`for a table named ${name}`, async () => {
      const stream = await opened.stream(name);
      const { columns, buckets } = await digestOf(stream);
      assert.deepEqual(
        columns,
        stream.columns.map((column) => column.name),
      );
      assert.deepEqual(buckets, await digestOfRead(stream, columns));
    });
  }

  it('for the rows that a filter leaves', async () => {
    const filter = { combine: 'and', conditions: [{ column: 'b', operator: '<', value: '50' }] } as const;
    const stream = { ...(await opened.stream('wide')), filter };
    const { columns, buckets } = await digestOf(stream);
    assert.equal(
      buckets.reduce((sum, { rows }) => sum + rows, 0),
      49,
    );
    assert.deepEqual(buckets, await digestOfRead(stream, columns));
  });
});

describe('a digest', () => {
  it('changes exactly in the bucket of the row whose value was flipped', async () => {
    const session = async (): Promise<readonly DigestBucket[]> => {
      const fresh = await openSource(connector, source.config);
      const digest = await fresh.session.digest!(await fresh.stream('wide'), { buckets: BUCKETS, signal });
      await fresh.session.close();
      return digest.buckets;
    };
    const earlier = await session();
    await source.run('update wide set at = at + interval 1 microsecond where b = 77');
    const now = await session();
    assert.equal(now.filter(({ sum }, at) => sum !== earlier[at]!.sum).length, 1);
  });

  it('refuses a row that is too long for the server, instead of leaving it out', async () => {
    await assert.rejects(digestOf(await opened.stream('long_row')), {
      kind: 'value_refused',
      message: /shop\.long_row/,
    });
  });
});
