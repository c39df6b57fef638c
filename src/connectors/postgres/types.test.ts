import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { typeWord } from '../../columns/index.ts';
import {
  openSource,
  readAll,
  startTestSource,
  type Collected,
  type OpenedSource,
  type TestSource,
} from '../../../test/support/source.ts';
import { GOLDENS, GOLDEN_SETUP as SETUP } from '../../../test/support/postgres-types.ts';
import { connector } from './index.ts';

for (const version of [15, 18] as const) {
  describe(`types of PostgreSQL ${version}`, () => {
    let source: TestSource;
    let opened: OpenedSource;

    before(async () => {
      source = await startTestSource({ version });
      await source.run(SETUP);
      for (const [index, [type, , values]] of GOLDENS.entries()) {
        const rows = values.map(([literal], at) => `(${at + 1}, '${literal.replaceAll("'", "''")}'::${type})`);
        await source.run(
          `create table t${index} (id int primary key, v ${type}); insert into t${index} values ${rows.join(',')}`,
        );
        if (type !== 'positive') await source.run(`insert into t${index} values (0, null)`);
      }
      opened = await openSource(connector, source.config);
    });
    after(async () => {
      await opened?.session.close();
      await source?.stop();
    });

    it('reads every type exactly, by the binary reader and by the printed values', async () => {
      const streams = await opened.session.discover({ signal: new AbortController().signal, threads: 1 });
      for (const [index, [type, lake, values]] of GOLDENS.entries()) {
        const found = streams.find((one) => one.name === `t${index}`);
        assert.ok(found, type);
        assert.equal(typeWord(found.columns[1]!.column.type), lake, type);
        const expected = new Map(values.map(([, text], at) => [String(at + 1), text as string | null]));
        if (type !== 'positive') expected.set('0', null);
        const { rows, refused } = await readAll(opened.session, found);
        assert.deepEqual(refused, [], type);
        assert.deepEqual(new Map(rows.map((row) => [row[0], row[1]])), expected, type);
        const fetched = await opened.session.fetchByKey(
          found,
          [...expected.keys()].map((key) => [key]),
        );
        assert.deepEqual(new Map(fetched.map((row) => [row.values[0], row.values[1]])), expected, `${type} by key`);
      }
    });

    it('finds rows by the canonical text of a key of any ordered type', async () => {
      const types = [
        'text',
        'bigint',
        'numeric(10,2)',
        'timestamptz',
        'date',
        'uuid',
        'bytea',
        'mood',
        'inet',
        'char(4)',
        'bool',
      ];
      for (const [index, type] of types.entries()) {
        const golden = GOLDENS.find(([name]) => name === type)!;
        const [literal, text] = golden[2][0]!;
        await source.run(
          `create table k${index} (v ${type} primary key, w text); insert into k${index} values ('${literal}', 'here')`,
        );
        const again = await openSource(connector, source.config);
        try {
          const stream = await again.stream(`k${index}`);
          assert.deepEqual(await again.session.fetchByKey(stream, [[text]]), [{ values: [text, 'here'] }], type);
        } finally {
          await again.session.close();
        }
      }
    });
  });
}

describe('numerics that are no plain decimals', () => {
  let source: TestSource;
  before(async () => {
    source = await startTestSource({ version: 15 });
  });
  after(async () => {
    await source?.stop();
  });

  it('keeps negative scales and scales beyond the precision exact', async () => {
    await source.run(`create table odd (id int primary key, a numeric(3,-2), b numeric(3,5), c numeric(36,-3));
      insert into odd values (1, 12345, 0.00123, 1), (2, -99900, -0.00999, ${'9'.repeat(36)}000), (3, 0, 0, null)`);
    const { rows, refused } = await readTable(source, 'odd');
    assert.deepEqual(refused, []);
    assert.deepEqual(rows, [
      ['1', '12300', '0.00123', '0'],
      ['2', '-99900', '-0.00999', `${'9'.repeat(36)}000`],
      ['3', '0', '0.00000', null],
    ]);
  });

  it('refuses NaN in a decimal, names the row by its key, and keeps the other rows whole', async () => {
    await source.run(`create table spoilt (name text, id int, note text, small numeric(5,2), wide numeric(30,2), seen date,
      primary key (id, name))`);
    const noise = [...'abcdefghij'];
    for (const [id, name] of noise.entries()) {
      const bad = id % 3 === 1;
      await source.run(`insert into spoilt values ('${name}', ${id}, ${id % 2 ? 'null' : `'note ${name}'`},
        ${bad ? "'NaN'" : id}, ${id === 6 ? "'NaN'" : id}, ${id % 4 ? "'2024-01-01'" : 'null'})`);
    }
    const { rows, refused } = await readTable(source, 'spoilt');
    assert.deepEqual(
      refused.map(({ column, key }) => [column, key]),
      [
        ['small', 'id=1, name=b'],
        ['small', 'id=4, name=e'],
        ['wide', 'id=6, name=g'],
        ['small', 'id=7, name=h'],
      ],
    );
    assert.match(refused[0]!.reason, /NaN/);
    const kept = [0, 2, 3, 5, 8, 9].map((id) => {
      const [name = ''] = noise.slice(id);
      const seen = id % 4 ? '2024-01-01T00:00:00.000000Z' : null;
      return [name, String(id), id % 2 ? null : `note ${name}`, `${id}.00`, `${id}.00`, seen];
    });
    assert.deepEqual(rows, kept);
  });

  it('agrees with the server on thousands of random decimals of every precision', async () => {
    for (const [precision, scale] of [
      [4, 4],
      [9, 3],
      [12, 7],
      [15, 0],
      [17, 9],
      [18, 18],
      [25, 6],
      [38, 19],
    ] as const) {
      await source.run(`drop table if exists dice; create table dice as
        select i as id, ((random() * 2 - 1)::numeric * 10::numeric ^ (random() * ${precision} - ${scale})::int::numeric
          + random()::numeric / 1e9)::numeric(60,30) % (10::numeric ^ ${precision - scale}) as n from generate_series(1, 2000) i;
        alter table dice alter n type numeric(${precision},${scale}) using
          sign(n) * least(abs(trunc(n, ${scale})), 10::numeric ^ ${precision - scale} - 10::numeric ^ -${scale})`);
      const printed = await source.run('select n::text as n from dice order by id');
      const { rows } = await readTable(source, 'dice');
      const byId = new Map(rows.map((row) => [Number(row[0]), row[1]]));
      for (const [at, row] of printed.entries())
        assert.equal(byId.get(at + 1), row['n'], `numeric(${precision},${scale})`);
    }
  });
});

/** In a session of its own: a session keeps seeing the moment of its first load. */
async function readTable({ config }: TestSource, name: string): Promise<Collected> {
  const { session, stream } = await openSource(connector, config);
  try {
    return await readAll(session, await stream(name));
  } finally {
    await session.close();
  }
}
