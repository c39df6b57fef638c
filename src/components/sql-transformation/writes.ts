import type { DatasetName, SqlSession } from '../../connectors/kit/index.ts';
import { findTarget, type Target } from './targets.ts';
import { meaningfulTokens } from './tokens.ts';

/** The tables that statements at a connection have written, for lineage, where their text names one plainly. */
export interface Writes {
  /** To be told of a statement that went well. */
  note(sql: string): Promise<void>;
  /** Those that are still there. */
  read(): Promise<readonly DatasetName[]>;
}

interface Table {
  readonly namespace: string;
  readonly name: string;
}

const WRITES = new Set(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'MERGE', 'CREATE']);
const KINDS = new Set(['TABLE', 'VIEW']);

/** The database itself says which table a name means; views, temporary tables and the like are left out. */
export function createWrites(session: SqlSession, nameOf: (table: Table) => DatasetName | undefined): Writes {
  const written = new Map<string, Table>();
  const find = async (name: string): Promise<Table | undefined> => session.findTable?.(name);
  return {
    async note(sql) {
      const target = findTarget(sql);
      if (target === undefined || !KINDS.has(target.kind)) return;
      if (target.renamedTo !== undefined) {
        const table = await find([...target.name.slice(0, -1), target.renamedTo].map(quoteName).join('.'));
        const former = table && quoteTable({ ...table, name: target.name.at(-1)! });
        if (table && written.delete(former!)) written.set(quoteTable(table), table);
      } else if (WRITES.has(target.verb) && !mayHaveDoneNothing(target, sql)) {
        const table = await find(target.text);
        if (table) written.set(quoteTable(table), table);
      }
    },
    async read() {
      const datasets: DatasetName[] = [];
      for (const [name, table] of written) {
        const dataset = (await find(name)) && nameOf(table);
        if (dataset) datasets.push(dataset);
      }
      return datasets;
    },
  };
}

/** `CREATE … IF NOT EXISTS` where something was there already. */
function mayHaveDoneNothing({ verb }: Target, sql: string): boolean {
  if (verb !== 'CREATE') return false;
  const words = meaningfulTokens(sql).map(({ text }) => text.toUpperCase());
  return words.includes('IF') && words.includes('EXISTS');
}

function quoteTable({ namespace, name }: Table): string {
  return `${quoteName(namespace)}.${quoteName(name)}`;
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
