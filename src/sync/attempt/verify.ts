import { createDigester } from '../../connectors/kit/index.ts';
import type { DestinationSession, Digest, DigestBucket, SourceSession } from '../../connectors/kit/index.ts';
import { readValue } from '../../columns/index.ts';
import type { Column, ColumnType } from '../../columns/index.ts';
import type { ResolvedStream } from '../catalog/index.ts';
import { destinationContext, sourceContext } from './context.ts';
import { fitStream } from './fit/index.ts';
import type { ChildIo } from './io.ts';
import { resolveAll } from './pipeline/resolve.ts';
import type { VerifyWork } from './work.ts';

/** Source and table compared row by row, by sums that each side computes over what it holds. */
export interface StreamVerdict {
  readonly stream: string;
  readonly verdict: 'equal' | 'different' | 'not comparable';
  readonly sourceRows: number | null;
  readonly tableRows: number | null;
  readonly buckets: number;
  readonly differentBuckets: number;
  /** Columns that one side cannot sum up. */
  readonly leftOut: readonly string[];
  readonly note?: string;
}

export interface VerifyResult {
  readonly streams: readonly StreamVerdict[];
}

const BUCKETS = 64;

/** Compares every selected stream with its table, all rows and values. Reads both sides whole. */
export async function verifyTables(work: VerifyWork, io: ChildIo): Promise<VerifyResult> {
  const sourceType = io.connectors.findSource(work.source.type);
  const destinationType = io.connectors.findDestination(work.destination.type);
  const source = await sourceType.open(work.source.config, sourceContext(work, io));
  try {
    const destination = await destinationType.open(work.destination.config, destinationContext(work, io));
    try {
      const discovered = await source.discover({ signal: io.signal, threads: 4 });
      const warn = (message: string): void => io.log({ level: 'warn', message });
      const log = source.changeLog?.columns;
      const streams: StreamVerdict[] = [];
      for (const stream of resolveAll({ catalog: work.catalog, discovered, log, warn })) {
        io.signal.throwIfAborted();
        const verdict = await verifyStream({ source, destination, io }, stream);
        io.log({ level: verdict.verdict === 'different' ? 'warn' : 'info', message: describe(verdict) });
        streams.push(verdict);
      }
      return { streams };
    } finally {
      await destination.close();
    }
  } finally {
    await source.close();
  }
}

interface Sides {
  readonly source: SourceSession;
  readonly destination: DestinationSession;
  readonly io: ChildIo;
}

async function verifyStream(sides: Sides, wanted: ResolvedStream): Promise<StreamVerdict> {
  const { source, destination, io } = sides;
  const not = (note: string): StreamVerdict => ({ ...NOTHING, stream: wanted.id, note });
  if (!source.digest) return not('this source cannot sum up its rows');
  if (!destination.scanTable) return not('tables of this destination cannot be read back');
  if (!wanted.normalization) return not('rows are kept as one JSON column');
  const table = await destination.describeTable(wanted.table);
  if (!table) return not('there is no table yet');
  const stream = fitStream(wanted, table, () => undefined);
  const { columns, leftOut } = comparable(stream, table);
  const selection = { ...stream.selection, columns: columns.map((at) => stream.selection.columns[at]!) };
  const digest = await source.digest(selection, { buckets: BUCKETS, signal: io.signal });
  const summed = new Set(digest.columns);
  const used = columns.filter((at) => summed.has(stream.selection.columns[at]!.name));
  const found = await sumUpTable(sides, stream, used);
  if (!found) return not('there is no table yet');
  const verdict = compare(stream, { digest, found, leftOut: [...leftOut, ...namesOf(stream, columns, summed)] });
  const isKeyless = stream.mode === 'incremental' && stream.selection.primaryKey.length === 0;
  const keepsVersions = stream.appendMode || isKeyless || destination.keepsVersions === true;
  return keepsVersions ? allowVersions(verdict, found.later) : verdict;
}

/**
 * The table keeps older versions beside the last. Where nothing was written again both sides are equal all the same, and
 * that proves it; a difference proves nothing.
 */
function allowVersions(verdict: StreamVerdict, later: number): StreamVerdict {
  if (verdict.verdict === 'equal' || later === 0) return verdict;
  const note = `the table keeps every version of a row, and ${later} of its rows were written after the first load`;
  return { ...verdict, verdict: 'not comparable', note };
}

const NOTHING = {
  verdict: 'not comparable',
  sourceRows: null,
  tableRows: null,
  buckets: BUCKETS,
  differentBuckets: 0,
  leftOut: [],
} as const;

/** Columns whose values are written as they are read; those that are converted are spelled otherwise. */
function comparable(stream: ResolvedStream, table: readonly Column[]): { columns: number[]; leftOut: string[] } {
  const stored = new Map(table.map(({ name, type }) => [name, type]));
  const columns: number[] = [];
  const leftOut: string[] = [];
  stream.selection.columns.forEach(({ name, column }, at) => {
    const lake = stream.lakeColumns[at];
    const there = lake && stored.get(lake.name);
    if (there && lake.type.kind === column.type.kind && isSpelledAlike(lake.type, there)) columns.push(at);
    else leftOut.push(name);
  });
  return { columns, leftOut };
}

/** True when the table shows values of the written type as they were written: in that type, or in one that it grew to. */
function isSpelledAlike(written: ColumnType, stored: ColumnType): boolean {
  if (written.kind === 'decimal') return stored.kind === 'decimal' && written.scale === stored.scale;
  if (written.kind === 'int') return stored.kind === 'int' || stored.kind === 'long';
  if (written.kind === 'float') return stored.kind === 'float' || stored.kind === 'double';
  return written.kind === stored.kind;
}

function namesOf(stream: ResolvedStream, columns: readonly number[], summed: ReadonlySet<string>): string[] {
  return columns.map((at) => stream.selection.columns[at]!.name).filter((name) => !summed.has(name));
}

interface FoundRows {
  readonly buckets: readonly DigestBucket[];
  /** Rows that were written by later runs than the first load. */
  readonly later: number;
}

/** Rows that the source deleted and the table only marks are left out. */
async function sumUpTable(
  { destination, io }: Sides,
  stream: ResolvedStream,
  used: readonly number[],
): Promise<FoundRows | undefined> {
  const names = used.map((at) => stream.lakeColumns[at]!.name);
  const key = stream.selection.primaryKey.flatMap((name) => {
    const at = used.findIndex((index) => stream.selection.columns[index]!.name === name);
    return at < 0 ? [] : [at];
  });
  const digester = createDigester({ columns: used.map((_, at) => at), key, buckets: BUCKETS });
  let later = 0;
  const exists = await destination.scanTable!(stream.table, {
    columns: [...names, '_op_type'],
    signal: io.signal,
    sink: async (batch) => {
      const operations = batch.columns[names.length]!;
      const isMarked = (row: number): boolean => {
        const operation = operations.nulls === 0 ? readValue(operations, row) : 'r';
        if (operation !== 'r') later++;
        return operation === 'd';
      };
      digester.add({ rows: batch.rows, columns: batch.columns.slice(0, names.length) }, isMarked);
    },
  });
  return exists ? { buckets: digester.finish(), later } : undefined;
}

function compare(
  stream: ResolvedStream,
  sides: { readonly digest: Digest; readonly found: FoundRows; readonly leftOut: readonly string[] },
): StreamVerdict {
  const { digest, leftOut } = sides;
  const found = sides.found.buckets;
  const total = (buckets: readonly DigestBucket[]): number => buckets.reduce((sum, bucket) => sum + bucket.rows, 0);
  // Without a key, every row of the source is in one bucket, of the table as well.
  const different = digest.buckets.filter(
    (bucket, at) => bucket.rows !== found[at]!.rows || bucket.sum !== found[at]!.sum,
  ).length;
  return {
    stream: stream.id,
    verdict: different === 0 ? 'equal' : 'different',
    sourceRows: total(digest.buckets),
    tableRows: total(found),
    buckets: BUCKETS,
    differentBuckets: different,
    leftOut,
    ...(different > 0 && { note: 'changes since the last sync, and rows in quarantine, show as differences as well' }),
  };
}

function describe({ stream, verdict, sourceRows, tableRows, differentBuckets, buckets, note }: StreamVerdict): string {
  const rows = sourceRows === null ? '' : `: ${sourceRows} rows in the source, ${tableRows} in the table`;
  const where = differentBuckets > 0 ? `, ${differentBuckets} of ${buckets} parts differ` : '';
  return `${stream}: compared whole, ${verdict}${rows}${where}${note === undefined ? '' : ` (${note})`}`;
}
