import { startTestMariadb } from '../../../test/support/mariadb.ts';
import { createConnection } from 'mysql2/promise';
import { changeLogConformance, type ChangePlace } from '../kit/conformance/changes.ts';
import { sourceConformance } from '../kit/conformance/source.ts';
import { connector } from './index.ts';

sourceConformance('mysql', { connector, openPlace, hasSnapshot: true });
changeLogConformance('mysql', { connector, openPlace, isExact: true });

async function openPlace(): Promise<ChangePlace> {
  const source = await startTestMariadb();
  const { hosts: host, port, database, username: user, password } = source.config;
  const literal = (value: string | number | null): string =>
    value === null ? 'null' : typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;
  return {
    config: { ...source.config, update_method: { type: 'CDC' } },
    createTable: async (name) => {
      await source.run(`create table ${name} (id bigint primary key, version int, note text)`);
    },
    insert: async (name, rows) => {
      const values = rows.map(({ id, version, note }) => `(${[id, version, note].map(literal).join(', ')})`);
      await source.run(`insert into ${name} values ${values.join(', ')}; analyze table ${name}`);
    },
    setNote: async (name, id, note) => {
      await source.run(`update ${name} set note = ${literal(note)} where id = ${id}`);
    },
    remove: async (name, id) => {
      await source.run(`delete from ${name} where id = ${id}`);
    },
    begin: async () => {
      const connection = await createConnection({ host, port, database, user, password });
      await connection.beginTransaction();
      return {
        run: async (sql) => void (await connection.query(sql)),
        commit: async () => {
          await connection.commit();
          await connection.end();
        },
        rollback: async () => {
          await connection.rollback();
          await connection.end();
        },
      };
    },
    close: () => source.stop(),
  };
}
