import { Client } from 'pg';
import { startTestSource } from '../../../../test/support/source.ts';
import { changeLogConformance, type ChangePlace } from '../../kit/conformance/changes.ts';
import { connector } from '../index.ts';

for (const version of [15, 18] as const) {
  // A small working memory lets the server stream transactions in progress.
  const settings = { wal_level: 'logical', logical_decoding_work_mem: '64kB', synchronous_commit: 'on' };
  changeLogConformance(`postgres ${version}`, {
    connector,
    isExact: true,
    openPlace: () => openPlace({ version, settings }),
  });
}

async function openPlace(options: Parameters<typeof startTestSource>[0]): Promise<ChangePlace> {
  const source = await startTestSource(options);
  await source.run('create publication everything for all tables');
  await source.run("select pg_create_logical_replication_slot('penstock', 'pgoutput')");
  const literal = (value: string | number | null): string =>
    value === null ? 'null' : typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;
  return {
    config: {
      ...source.config,
      update_method: { type: 'CDC', replication_slot: 'penstock', publication: 'everything' },
    },
    createTable: async (name) => {
      await source.run(`create table ${name} (id bigint primary key, version int, note text)`);
    },
    insert: async (name, rows) => {
      const values = rows.map(({ id, version, note }) => `(${[id, version, note].map(literal).join(', ')})`);
      await source.run(`insert into ${name} values ${values.join(', ')}`);
    },
    setNote: async (name, id, note) => {
      await source.run(`update ${name} set note = ${literal(note)} where id = ${id}`);
    },
    remove: async (name, id) => {
      await source.run(`delete from ${name} where id = ${id}`);
    },
    async begin() {
      const client = new Client({ connectionString: source.url });
      await client.connect();
      await client.query('begin');
      const end = async (word: string): Promise<void> => {
        await client.query(word);
        await client.end();
      };
      return {
        run: async (sql) => void (await client.query(sql)),
        commit: () => end('commit'),
        rollback: () => end('rollback'),
      };
    },
    close: () => source.stop(),
  };
}
