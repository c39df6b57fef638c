import { Failure } from '../../errors.ts';
import type { Chunk, LoadPlan } from '../kit/index.ts';
import type { Query, Relation } from './catalog.ts';
import { columnOf, comparable, quoteName, quoteRelation, quoteText } from './select.ts';

/** Page bounds are spelled as SQL literals, with their quotes: `'(40960,0)'`; a partition's oid and a colon may stand before. */
const PAGE_BOUND = /^(?:(\d+):)?'\((\d+),0\)'$/;

/** Where a chunk reads from, and the condition on its rows. */
export interface ChunkScope {
  readonly from: string;
  readonly condition: string | undefined;
}

type ChunkPlan = Omit<LoadPlan, 'changeMark'>;

interface LoadOptions {
  readonly targetBytes: number;
  readonly serverVersion: number;
  readonly chunkColumn?: string;
}

interface Leaf {
  readonly oid: string;
  readonly kind: string;
  readonly file: string;
  readonly pages: number;
  readonly bytes: number;
  readonly rows: number;
}

/**
 * Splits a relation into chunks of about `targetBytes`: by physical pages, per partition; by the key column when one is chosen; views,
 * foreign tables and servers before 14 (where a page range is no index) are one chunk. The last chunk of a table is
 * open-ended, so that under one snapshot every row is in exactly one chunk.
 */
export async function planChunks(query: Query, relation: Relation, options: LoadOptions): Promise<ChunkPlan> {
  const leaves = await readLeaves(query, relation);
  const rows = leaves.reduce((sum, leaf) => sum + leaf.rows, 0);
  const bytes = leaves.reduce((sum, leaf) => sum + leaf.bytes, 0);
  const files = leaves.map((leaf) => `${leaf.oid}.${leaf.file}`).join(' ');
  const split = options.chunkColumn ?? '';
  if (split !== '') {
    const pieces = Math.max(1, Math.ceil(bytes / options.targetBytes));
    const chunks = await planKeyRanges(query, relation, { column: split, pieces, rows });
    return { chunks, estimatedRows: rows, estimatedBytes: bytes, generation: `key ${split} ${files}` };
  }
  const whole: ChunkPlan = {
    chunks: [{ min: null, max: null }],
    estimatedRows: rows,
    estimatedBytes: bytes,
    generation: `whole ${files}`,
  };
  if (relation.kind === 'v' || relation.kind === 'f' || options.serverVersion < 140_000) return whole;
  if (relation.kind !== 'p') {
    const [leaf] = leaves;
    const chunks = leaf ? pageRanges(leaf, '', options.targetBytes) : whole.chunks;
    // A row policy may answer otherwise each time that it is asked.
    const isCountedByChunks = !relation.rowSecurity && isSeamless(chunks);
    return { ...whole, chunks, isCountedByChunks, generation: `ctid ${files}` };
  }
  // Policies and rights of the parent need not be those of its partitions: then only the parent may be asked.
  if (relation.rowSecurity || !(await mayReadLeaves(query, leaves))) return whole;
  const chunks = leaves.flatMap((leaf) => pageRanges(leaf, `${leaf.oid}:`, options.targetBytes));
  return { chunks, estimatedRows: rows, estimatedBytes: bytes, generation: `ctid ${files}` };
}

function pageRanges(leaf: Leaf, prefix: string, targetBytes: number): Chunk[] {
  if (leaf.kind === 'f') return [{ min: `${prefix}'(0,0)'`, max: null }];
  const bytesPerPage = leaf.pages === 0 ? 1 : leaf.bytes / leaf.pages;
  const step = Math.max(1, Math.floor(targetBytes / bytesPerPage));
  const chunks: Chunk[] = [];
  for (let page = 0; page === 0 || page < leaf.pages; page += step) {
    const max = page + step < leaf.pages ? `${prefix}'(${page + step},0)'` : null;
    chunks.push({ min: `${prefix}'(${page},0)'`, max });
  }
  return chunks;
}

/** True when page ranges begin at the first page, lie end to end, and the last is open: no row is in none or in two of them. */
export function isSeamless(chunks: readonly Chunk[]): boolean {
  const starts = chunks.map(({ min }) => (min === null ? undefined : parseBound(min)));
  return (
    chunks.length > 0 &&
    chunks.every(({ max }, at) => {
      const [start, next] = [starts[at], starts[at + 1]];
      if (start === undefined || start.partition !== undefined || (at === 0 && start.page !== '0')) return false;
      if (next === undefined) return at === chunks.length - 1 && max === null;
      return max === chunks[at + 1]!.min && Number(start.page) < Number(next.page);
    })
  );
}

/** The relation itself, or the partitions that hold its rows. Sizes count what is stored out of line, too. */
async function readLeaves(query: Query, relation: Relation): Promise<Leaf[]> {
  const { oid } = relation;
  const source =
    relation.kind === 'p'
      ? `(select relid from pg_catalog.pg_partition_tree(${oid}) where isleaf) as t(relid)`
      : `(values (${oid}::pg_catalog.oid)) as t(relid)`;
  const rows = await query(
    `select c.oid, c.relkind, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0),
       case when c.relkind in ('r', 'm') then pg_catalog.pg_relation_size(c.oid) else 0 end
         / current_setting('block_size')::int8,
       case when c.relkind in ('r', 'm') then pg_catalog.pg_table_size(c.oid) else 0 end,
       c.reltuples::int8
     from ${source} join pg_catalog.pg_class c on c.oid = t.relid order by c.oid`,
  );
  return rows.map(([leaf, kind, file, pages, bytes, tuples]) => ({
    oid: leaf ?? '',
    kind: kind ?? '',
    file: file ?? '',
    pages: Number(pages),
    bytes: Number(bytes),
    rows: Number(tuples) >= 0 ? Number(tuples) : Math.round(Number(bytes) / TYPICAL_ROW_BYTES),
  }));
}

/** For tables that were never analysed. */
const TYPICAL_ROW_BYTES = 120;

async function mayReadLeaves(query: Query, leaves: readonly Leaf[]): Promise<boolean> {
  if (leaves.length === 0) return false;
  const oids = leaves.map((leaf) => leaf.oid).join(',');
  const rows = await query(
    `select bool_and(pg_catalog.has_table_privilege(c.oid, 'select') and not c.relrowsecurity
       and pg_catalog.has_schema_privilege(c.relnamespace, 'usage'))
     from pg_catalog.pg_class c where c.oid in (${oids})`,
  );
  return rows[0]?.[0] === 't';
}

interface KeySplit {
  readonly column: string;
  readonly pieces: number;
  readonly rows: number;
}

/** Integer keys are split evenly between their ends; for others the bounds are walked along the order of the key. */
async function planKeyRanges(query: Query, relation: Relation, split: KeySplit): Promise<Chunk[]> {
  const column = columnOf(relation, split.column);
  if (!column.reading.orderable) {
    throw new Failure('configuration_invalid', `chunk_column "${split.column}" has a type without an order`);
  }
  const integer = column.reading.type.kind === 'int' || column.reading.type.kind === 'long';
  const bounds = integer ? await evenBounds(query, relation, split) : await walkedBounds(query, relation, split);
  const distinct = [...new Set(bounds)];
  return [null, ...distinct].map((min, index) => ({ min, max: distinct[index] ?? null }));
}

async function evenBounds(query: Query, relation: Relation, split: KeySplit): Promise<string[]> {
  const name = quoteName(split.column);
  const rows = await query(`select min(${name}), max(${name}) from ${quoteRelation(relation)}`);
  const [low, high] = rows[0] ?? [];
  if (low == null || high == null) return [];
  const from = BigInt(low);
  const range = BigInt(high) - from + 1n;
  const pieces = BigInt(split.pieces);
  return Array.from({ length: split.pieces - 1 }, (_, index) => from + (range * BigInt(index + 1)) / pieces)
    .filter((bound) => bound > from)
    .map(String);
}

async function walkedBounds(query: Query, relation: Relation, split: KeySplit): Promise<string[]> {
  const name = comparable(columnOf(relation, split.column));
  const step = Math.max(1, Math.ceil(split.rows / split.pieces));
  const bounds: string[] = [];
  while (bounds.length < split.pieces - 1) {
    const last = bounds.at(-1);
    const beyond = last === undefined ? `${name} is not null` : `${name} > ${quoteText(last)}`;
    const rows = await query(
      `select ${name} from ${quoteRelation(relation)} where ${beyond} order by ${name} offset ${step} limit 1`,
    );
    const bound = rows[0]?.[0];
    if (bound == null) break;
    bounds.push(bound);
  }
  return bounds;
}

/** What a chunk of `planChunks` stands for, in SQL. Rows whose key is null belong to the first chunk. */
export async function scopeOf(query: Query, relation: Relation, work: { chunk: Chunk; chunkColumn?: string }) {
  const { min, max } = work.chunk;
  const whole: ChunkScope = { from: quoteRelation(relation), condition: undefined };
  if (work.chunkColumn !== undefined && work.chunkColumn !== '') {
    return { ...whole, condition: keyCondition(relation, work.chunkColumn, work.chunk) };
  }
  if (min === null && max === null) return whole;
  const [lower, upper] = [parseBound(min), parseBound(max)];
  const partition = lower?.partition ?? upper?.partition;
  const from = partition === undefined ? whole.from : await partitionOf(query, relation, partition);
  const conditions = [
    lower && lower.page !== '0' ? `ctid >= '(${lower.page},0)'::pg_catalog.tid` : undefined,
    upper ? `ctid < '(${upper.page},0)'::pg_catalog.tid` : undefined,
  ];
  const condition = conditions.filter((part) => part !== undefined).join(' and ');
  return { from, condition: condition === '' ? undefined : condition } satisfies ChunkScope;
}

function parseBound(bound: string | null): { partition: string | undefined; page: string } | undefined {
  if (bound === null) return undefined;
  const match = PAGE_BOUND.exec(bound);
  if (!match) throw new Failure('configuration_invalid', 'the chunk was planned by another key; plan the load anew');
  return { partition: match[1], page: match[2] ?? '0' };
}

function keyCondition(relation: Relation, chunkColumn: string, { min, max }: Chunk): string | undefined {
  const name = comparable(columnOf(relation, chunkColumn));
  if (min === null) return max === null ? undefined : `${name} < ${quoteText(max)} or ${name} is null`;
  const upper = max === null ? '' : ` and ${name} < ${quoteText(max)}`;
  return `${name} >= ${quoteText(min)}${upper}`;
}

async function partitionOf(query: Query, relation: Relation, oid: string): Promise<string> {
  const rows = await query(
    `select n.nspname, c.relname from pg_catalog.pg_partition_tree(${relation.oid}) t
     join pg_catalog.pg_class c on c.oid = t.relid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.oid = ${oid}::pg_catalog.oid`,
  );
  const [namespace, name] = rows[0] ?? [];
  if (namespace == null || name == null) {
    throw new Failure('object_missing', 'a partition that the load was planned with is gone; plan the load anew');
  }
  return quoteRelation({ namespace, name });
}
