import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import { lakeMark, type Lake } from './database.ts';
import { readExactRows } from './exact-rows.ts';
import { findTable, keyOf, readColumns, type ProjectTable } from './project-tables.ts';
import { findTarget, type Target } from './targets.ts';
import { meaningfulTokens, nameOf } from './tokens.ts';
import type { EmbeddedPlace, SqlDataset, SqlLineage } from './work.ts';

/** Gathers which tables the statements of a run read and write, for lineage; what is not certain is left out. */
export interface LineageReader {
  /** Looks at a statement before it runs; what it answers is called when it went well. */
  watch(sql: string, explain: Explain): Promise<() => Promise<void>>;
  /** What the run read and wrote that is still there. */
  read(): Promise<SqlLineage>;
}

/** Plans the statement, with its values, and does not run it. */
type Explain = () => Promise<DuckDBResult>;

const WRITES = new Set(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'MERGE']);
const MOST_COLUMNS = 5000;

export function createLineageReader(connection: DuckDBConnection, place: EmbeddedPlace, lake: Lake): LineageReader {
  const inputs = new Map<string, SqlDataset>();
  const read = new Map<string, ProjectTable>();
  const written = new Map<string, ProjectTable>();
  /** Tables that were not there before: what is in them has come from the other inputs. */
  const made = new Set<string>();

  const noteReads = async (plan: string, own: ProjectTable | undefined): Promise<void> => {
    for (const [at, { dataset }] of lake.tables.entries()) {
      if (plan.includes(lakeMark(place, at))) inputs.set(JSON.stringify(dataset), dataset);
    }
    for (const name of scannedTables(plan)) {
      const table = await findTable(connection, name);
      const key = table && keyOf(table);
      // A statement scans what it changes, too, whether it needs the old values or not.
      if (key === undefined || made.has(key) || (own && key === keyOf(own))) continue;
      read.set(key, table!);
    }
  };
  const noteWrite = async (target: Target, before: ProjectTable | undefined): Promise<ProjectTable | undefined> => {
    const after = await findTable(connection, nameAfter(target));
    if (after === undefined) return undefined;
    const isRenamed = target.renamedTo !== undefined && before !== undefined && written.delete(keyOf(before));
    const isMade = target.verb === 'CREATE' && target.kind === 'TABLE' && after.oid !== before?.oid;
    if (isMade && before === undefined) made.add(keyOf(after));
    if (isMade || isRenamed || WRITES.has(target.verb)) written.set(keyOf(after), after);
    return after;
  };
  return {
    async watch(sql, explain) {
      const target = findTarget(sql);
      const before = target && (await findTable(connection, target.name));
      const plan = await explain().then(boundPlan, () => '');
      return async () => {
        const own = target && (await noteWrite(target, before));
        await noteReads(plan, own);
      };
    },
    async read() {
      const describe = async (table: ProjectTable): Promise<SqlDataset[]> => {
        if ((await findTable(connection, [table.schema, table.name])) === undefined) return [];
        const fields = (await readColumns(connection, table)).slice(0, MOST_COLUMNS);
        return [{ namespace: place.namespace, name: keyOf(table), fields }];
      };
      const all = async (tables: Iterable<ProjectTable>): Promise<SqlDataset[]> => {
        const datasets: SqlDataset[] = [];
        for (const table of tables) datasets.push(...(await describe(table)));
        return datasets;
      };
      return { inputs: [...inputs.values(), ...(await all(read.values()))], outputs: await all(written.values()) };
    },
  };
}

function nameAfter({ name, renamedTo }: Target): readonly string[] {
  return renamedTo === undefined ? name : [...name.slice(0, -1), renamedTo];
}

/** The plan before the optimiser, as JSON text. */
async function boundPlan(result: DuckDBResult): Promise<string> {
  const { rows } = await readExactRows(result);
  return String(rows.find(([kind]) => kind === 'logical_plan')?.[1] ?? '');
}

interface PlanNode {
  readonly extra_info?: { readonly Table?: unknown };
  readonly children?: readonly PlanNode[];
}

/** Names of the tables that a plan scans: database, schema, table. */
function scannedTables(plan: string): string[][] {
  if (plan === '') return [];
  const names = new Set<string>();
  const pending = [...(JSON.parse(plan) as readonly PlanNode[])];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (typeof node.extra_info?.Table === 'string') names.add(node.extra_info.Table);
    pending.push(...(node.children ?? []));
  }
  return [...names].map((name) =>
    meaningfulTokens(name)
      .filter(({ text }) => text !== '.')
      .map(nameOf),
  );
}
