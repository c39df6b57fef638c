import { startTestSource } from '../../../test/support/source.ts';
import { sourceConformance, type SourcePlace } from '../kit/conformance/source.ts';
import { connector } from './index.ts';

sourceConformance('postgres', { connector, openPlace, hasSnapshot: true });

async function openPlace(): Promise<SourcePlace> {
  const source = await startTestSource();
  const literal = (value: string | number | null): string =>
    value === null ? 'null' : typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;
  return {
    config: source.config,
    createTable: async (name) => {
      await source.run(`create table ${name} (id bigint primary key, version int, note text)`);
    },
    insert: async (name, rows) => {
      const values = rows.map(({ id, version, note }) => `(${[id, version, note].map(literal).join(', ')})`);
      await source.run(`insert into ${name} values ${values.join(', ')}; analyze ${name}`);
    },
    setNote: async (name, id, note) => {
      await source.run(`update ${name} set note = ${literal(note)} where id = ${id}`);
    },
    remove: async (name, id) => {
      await source.run(`delete from ${name} where id = ${id}`);
    },
    close: () => source.stop(),
  };
}
