import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readChanges, startTestLog, type TestLog } from '../../../../test/support/changes.ts';
import { GOLDENS, GOLDEN_SETUP } from '../../../../test/support/postgres-types.ts';
import { readAll, type OpenedSource } from '../../../../test/support/source.ts';
import { connector } from '../index.ts';

const { signal } = new AbortController();

/** Types that make the server print all values of a read, because their binary form is not read. */
const ONLY_PRINTED =
  /\[\]$|^("char"|timetz|interval|money|inet|cidr|macaddr|xml|point|polygon|int4range|tstzrange|int4multirange|bit\(4\)|varbit|tsvector|pg_lsn|pair|int_list)$/;

for (const version of [15, 18] as const) {
  describe(`values in the log of PostgreSQL ${version}`, () => {
    let source: TestLog;
    before(async () => {
      source = await startTestLog(connector, { version });
      await source.run(GOLDEN_SETUP);
      await source.run('create schema goldens; set search_path = goldens, public');
    });
    after(async () => {
      await source?.stop();
    });

    it('are those of a load, for every type, whether the server prints them or sends their binary form', async () => {
      for (const [index, [type]] of GOLDENS.entries()) {
        await source.run(`create table t${index} (id int primary key, v ${type})`);
      }
      await source.inSession(async (opened) => {
        const from = await opened.session.changeLog!.end({ signal });
        for (const [index, [type, , values]] of GOLDENS.entries()) {
          const rows = values.map(([literal], at) => `(${at + 1}, '${literal.replaceAll("'", "''")}'::${type})`);
          if (type !== 'positive') rows.push('(0, null)');
          await source.run(`insert into t${index} values ${rows.join(',')}`);
        }
        const streams = await goldenStreams(opened);
        const binary = streams.filter((_, index) => !ONLY_PRINTED.test(GOLDENS[index]![0]));
        assert.ok(binary.length > 20);
        for (const [chosen, form] of [
          [streams, 'false'],
          [binary, 'true'],
        ] as const) {
          const asked: unknown[] = [];
          const wantsBoundary = (): boolean => asked.length === 0;
          const boundary = async (): Promise<void> => {
            asked.push(...(await source.run("select query from pg_stat_activity where backend_type = 'walsender'")));
          };
          const work = { streams: chosen, from, wantsBoundary, boundary };
          const { changes, end } = await readChanges(opened.session, work);
          assert.match(JSON.stringify(asked), new RegExp(`binary '${form}'`));
          assert.equal(end.reason, 'reached');
          for (const [index, stream] of chosen.entries()) {
            const loaded = await readAll(opened.session, stream);
            const read = changes.filter((change) => change.stream === index).map(({ row }) => row);
            assert.deepEqual(read, loaded.rows, GOLDENS[Number(stream.name.slice(1))]![0]);
          }
        }
      });
    });

    it('refuses what no decimal holds, names the row, and keeps the others', async () => {
      await source.run('create table goldens.spoilt (name text, id int, small numeric(5,2), primary key (id, name))');
      await source.inSession(async (opened) => {
        const from = await opened.session.changeLog!.end({ signal });
        await source.run(`insert into goldens.spoilt values ('a', 1, 1.5), ('b', 2, 'NaN'), ('c', 3, -2)`);
        for (const extra of [[], [await opened.stream('t0')]]) {
          const refused: string[] = [];
          const { changes } = await readChanges(opened.session, {
            streams: [await opened.stream('spoilt'), ...extra],
            from,
            refuse: (stream, { column, reason, key }) => void refused.push(`${stream} ${column} ${key} ${reason}`),
          });
          assert.deepEqual(
            changes.map(({ row }) => row),
            [
              ['a', '1', '1.50'],
              ['c', '3', '-2.00'],
            ],
          );
          assert.match(refused.join(), /^0 small id=2, name=b .*NaN/);
        }
      });
    });
  });
}

async function goldenStreams(opened: OpenedSource) {
  const found = await opened.session.discover({ signal, threads: 1 });
  return GOLDENS.map((_, index) => found.find(({ name }) => name === `t${index}`)!);
}
