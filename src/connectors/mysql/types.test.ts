import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { typeWord } from '../../columns/index.ts';
import { startTestMariadb, type TestMariadb } from '../../../test/support/mariadb.ts';
import { openSource, readAll, type Collected, type OpenedSource } from '../../../test/support/source.ts';
import { GOLDENS } from './goldens.ts';
import { connector } from './index.ts';

let source: TestMariadb;
let opened: OpenedSource;

before(async () => {
  source = await startTestMariadb();
  for (const [at, [declared, , values]] of GOLDENS.entries()) {
    const rows = values.map(([literal], index) => `(${index}, ${literal})`);
    await source.run(`create table golden_${at} (id int primary key, v ${declared}); set sql_mode = 'NO_BACKSLASH_ESCAPES';
      insert into golden_${at} values ${rows.join(', ')}, (${values.length}, null)`);
  }
  await source.run(`create table odd (id int primary key, d date); set sql_mode = 'ALLOW_INVALID_DATES';
    insert into odd values (1, '2024-02-31'), (2, '2024-00-15'), (3, '2024-02-29')`);
  opened = await openSource(connector, source.config);
});
after(async () => {
  await opened?.session.close();
  await source?.stop();
});

async function readColumn(name: string): Promise<Collected & { readonly type: string }> {
  const stream = await opened.stream(name);
  const collected = await readAll(opened.session, stream, { batchRows: 5 });
  return { ...collected, type: typeWord(stream.columns[1]!.column.type) };
}

describe('values of every type arrive exactly, by the binary reader and by key', () => {
  for (const [at, [declared, lake, values]] of GOLDENS.entries()) {
    it(`${declared} as ${lake}`, async () => {
      const name = `golden_${at}`;
      const { rows: read, refused, type } = await readColumn(name);
      assert.deepEqual(refused, []);
      assert.equal(type, lake);
      const wanted = [...values.map(([, text], index) => [String(index), text]), [String(values.length), null]];
      assert.deepEqual(
        read.toSorted((a, b) => Number(a[0]) - Number(b[0])),
        wanted,
      );
      const fetched = await opened.session.fetchByKey(
        await opened.stream(name),
        wanted.map(([id]) => [id!]),
      );
      assert.deepEqual(
        fetched.map((row) => [...row.values]).toSorted((a, b) => Number(a[0]) - Number(b[0])),
        wanted,
      );
    });
  }

  it('refuses a day that no calendar has, and names the row', async () => {
    const { rows, refused } = await readColumn('odd');
    assert.deepEqual(rows, [['3', '2024-02-29T00:00:00.000000Z']]);
    assert.deepEqual(
      refused.map(({ column, key }) => [column, key]),
      [
        ['d', 'id=1'],
        ['d', 'id=2'],
      ],
    );
  });
});
