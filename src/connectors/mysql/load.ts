import { Failure } from '../../errors.ts';
import type { Chunk, LoadPlan, StreamSelection } from '../kit/index.ts';
import type { Query, Relation, RelationColumn } from './catalog.ts';
import { quoteName } from './quote.ts';
import { columnOf, literal, quoteRelation } from './select.ts';

type ChunkPlan = Omit<LoadPlan, 'changeMark'>;

/** Rows per value of an integer key between which even steps make chunks of like size (OLake contract, section 7.3). */
const EVEN_DENSITY = { from: 0.05, to: 1000 };

/** For tables without statistics. */
const TYPICAL_ROW_BYTES = 120;

/**
 * Splits a relation into chunks of about `targetBytes` by ranges of its key: even steps of an integer key, else a walk
 * along the key. Without a key with an order, a relation is one chunk. The first and the last chunk are open-ended, so
 * that every row is in exactly one.
 */
export async function planChunks(
  query: Query,
  relation: Relation,
  options: { readonly targetBytes: number; readonly stream: StreamSelection },
): Promise<ChunkPlan> {
  const { targetBytes, stream } = options;
  const estimatedRows = relation.estimatedRows;
  const column = splitColumn(relation, stream);
  if (!column) {
    return { chunks: [{ min: null, max: null }], estimatedRows, generation: `whole ${relation.created}` };
  }
  const bytes = Math.max(relation.bytes, estimatedRows * TYPICAL_ROW_BYTES);
  const pieces = Math.max(1, Math.ceil(bytes / targetBytes));
  const bounds = pieces === 1 ? [] : await findBounds(query, relation, { column, pieces });
  const distinct = [...new Set(bounds)];
  const chunks = [null, ...distinct].map((min, index): Chunk => ({ min, max: distinct[index] ?? null }));
  return { chunks, estimatedRows, generation: `key ${column.name} ${relation.created}` };
}

/** The chosen column, or the first of the key; a table without both, and a view, cannot be split. */
function splitColumn(relation: Relation, stream: StreamSelection): RelationColumn | undefined {
  const chosen = stream.chunkColumn ?? '';
  if (chosen !== '') {
    const column = columnOf(relation, chosen);
    if (column.reading.orderable) return column;
    throw new Failure('configuration_invalid', `chunk_column "${chosen}" has a type without an order`);
  }
  const first = relation.columns.find((column) => column.name === relation.primaryKey[0]);
  return first?.readable === true && first.reading.orderable ? first : undefined;
}

interface KeySplit {
  readonly column: RelationColumn;
  readonly pieces: number;
}

async function findBounds(query: Query, relation: Relation, split: KeySplit): Promise<string[]> {
  const even = split.column.reading.wire === 'integer' ? await evenBounds(query, relation, split) : undefined;
  return even ?? walkedBounds(query, relation, split);
}

/** Undefined when the values lie too thin or too dense for even steps. */
async function evenBounds(query: Query, relation: Relation, split: KeySplit): Promise<string[] | undefined> {
  const name = split.column.reading.printed(quoteName(split.column.name));
  const rows = await query(`select min(${name}), max(${name}) from ${quoteRelation(relation)}`);
  const [low, high] = rows[0] ?? [];
  if (low == null || high == null) return [];
  const from = BigInt(low);
  const range = BigInt(high) - from + 1n;
  const density = relation.estimatedRows / Number(range);
  if (density < EVEN_DENSITY.from || density > EVEN_DENSITY.to) return undefined;
  const pieces = BigInt(split.pieces);
  return Array.from({ length: split.pieces - 1 }, (_, index) => from + (range * BigInt(index + 1)) / pieces)
    .filter((bound) => bound > from)
    .map(String);
}

async function walkedBounds(query: Query, relation: Relation, { column, pieces }: KeySplit): Promise<string[]> {
  const name = quoteName(column.name);
  const step = Math.max(1, Math.ceil(relation.estimatedRows / pieces));
  const bounds: string[] = [];
  while (bounds.length < pieces * 2) {
    const last = bounds.at(-1);
    const beyond = last === undefined ? `${name} is not null` : `${name} > ${literal(column, last)}`;
    const rows = await query(
      `select ${column.reading.printed(name)} from ${quoteRelation(relation)} where ${beyond}
       order by ${name} limit 1 offset ${step}`,
    );
    const bound = rows[0]?.[0];
    if (bound == null) break;
    bounds.push(bound);
  }
  return bounds;
}

/** The rows of a chunk of `planChunks`. Rows whose key is null belong to the first chunk. */
export function chunkCondition(relation: Relation, stream: StreamSelection, { min, max }: Chunk): string | undefined {
  if (min === null && max === null) return undefined;
  const column = splitColumn(relation, stream);
  if (!column) throw new Failure('configuration_invalid', 'the chunk was planned by another key; plan the load anew');
  const name = quoteName(column.name);
  if (min === null) return `${name} < ${literal(column, max ?? '')} or ${name} is null`;
  const upper = max === null ? '' : ` and ${name} < ${literal(column, max)}`;
  return `${name} >= ${literal(column, min)}${upper}`;
}
