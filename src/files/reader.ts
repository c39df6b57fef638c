import type { ColumnBatch, RowExcerpt } from '../columns/index.ts';
import { timestampText } from '../columns/index.ts';
import { Failure } from '../errors.ts';
import { createFilter } from './filter.ts';
import type { BatchFilter } from './filter.ts';
import { streamKey } from './listing.ts';
import type { DataFile } from './listing.ts';
import { countParquet } from './parquet/read.ts';
import { readFiles, withFile } from './read.ts';
import type { FileSettings } from './settings.ts';
import type { FileColumn, FileStream, Reading, Selected, Surroundings } from './shapes.ts';
import type { Streams } from './streams.ts';

export type PartDone = (part: { readonly name: string; readonly value: string }) => Promise<void>;

export type PartedReading = Reading & { readonly partDone?: PartDone | undefined };

/** Reads files of streams, and remembers how many rows each brought. */
export interface Reader {
  /** Rows of the files in order, filtered, in the chosen columns. */
  read(stream: Selected, files: readonly DataFile[], work: PartedReading): Promise<void>;
  /** Of these files, those of which only another reading of their text tells the rows. */
  uncounted(stream: Selected, files: readonly DataFile[]): DataFile[];
  /** Rows of the files, refused ones included. */
  count(stream: Selected, files: readonly DataFile[], signal: AbortSignal): Promise<number>;
}

export function createReader(streams: Streams, settings: FileSettings, { log }: Pick<Surroundings, 'log'>): Reader {
  const counts = createCounts();
  const uncounted = (stream: Selected, files: readonly DataFile[]): DataFile[] =>
    files.filter((file) => !counts.of(stream).has(file.location) && !hasFooterCount(stream, file));

  async function read(stream: Selected, files: readonly DataFile[], work: PartedReading): Promise<void> {
    const group = await streams.find(stream, work.signal);
    const plan = planColumns(stream, await streams.describe(group, work.signal));
    const counter = counts.of(stream);
    const { reading, passed } = filtered(work, plan.filter, new Set(stream.columns.map(({ name }) => name)));
    const fileDone = async (file: DataFile, rows: number): Promise<void> => {
      const kept = passed();
      counter.set(file.location, plan.filter ? kept : rows);
      await work.partDone?.({ name: file.location, value: timestampText(file.modified) });
    };
    const apart = work.partDone !== undefined || plan.filter !== undefined;
    await readFiles(files, { ...plan, settings, reading, log, fileDone, apart });
  }
  return {
    read,
    uncounted,
    async count(stream, files, signal) {
      const counter = counts.of(stream);
      await read({ ...stream, columns: [] }, uncounted(stream, files), onlyCounting(signal));
      let rows = 0;
      for (const file of files) {
        const known =
          counter.get(file.location) ?? (await withFile(file, signal, (opened) => countParquet(opened, file)));
        counter.set(file.location, known);
        rows += known;
      }
      return rows;
    },
  };
}

/** Rows by file, for each stream and filter. */
function createCounts(): { of(stream: Selected): Map<string, number> } {
  const all = new Map<string, Map<string, number>>();
  return {
    of(stream) {
      const key = JSON.stringify([streamKey(stream), stream.filter ?? null]);
      const known = all.get(key) ?? new Map<string, number>();
      all.set(key, known);
      return known;
    },
  };
}

function hasFooterCount({ filter }: Selected, { format }: DataFile): boolean {
  return format === 'parquet' && (filter === undefined || filter.conditions.length === 0);
}

interface ColumnPlan {
  /** The chosen columns, then what only the filter needs. */
  readonly columns: readonly FileColumn[];
  readonly known: readonly string[];
  readonly filter: BatchFilter | undefined;
}

function planColumns(stream: Selected, described: FileStream): ColumnPlan {
  const known = described.columns.map(({ name }) => name);
  const { filter } = stream;
  if (!filter || filter.conditions.length === 0) return { columns: stream.columns, known, filter: undefined };
  const chosen = new Set(stream.columns.map(({ name }) => name));
  const extra = new Map<string, FileColumn>();
  for (const { column: name } of filter.conditions) {
    const column = described.columns.find((candidate) => candidate.name === name);
    if (!column) throw new Failure('configuration_invalid', `The filter names "${name}", which is no column.`);
    if (!chosen.has(name)) extra.set(name, column);
  }
  const columns = [...stream.columns, ...extra.values()];
  return { columns, known, filter: createFilter(filter, columns, stream.columns.length) };
}

/** The reading with rows filtered; `passed` answers the rows that came through or were refused since it was asked last. */
function filtered(
  work: PartedReading,
  filter: BatchFilter | undefined,
  chosen: ReadonlySet<string>,
): { reading: Reading; passed: () => number } {
  let rows = 0;
  const sink = async (batch: ColumnBatch): Promise<void> => {
    const kept = filter ? filter(batch) : batch;
    if (!kept) return;
    rows += kept.rows;
    await work.sink(kept);
  };
  const refuse: Reading['refuse'] = (row) => {
    rows++;
    const { values } = row;
    // What only the filter reads was not chosen, and is nobody's to see.
    work.refuse(filter && values ? { ...row, values: () => onlyChosen(values(), chosen) } : row);
  };
  const passed = (): number => {
    const since = rows;
    rows = 0;
    return since;
  };
  return { reading: { ...work, sink, refuse }, passed };
}

function onlyChosen(values: RowExcerpt, chosen: ReadonlySet<string>): RowExcerpt {
  return Object.fromEntries(Object.entries(values).filter(([name]) => chosen.has(name)));
}

function onlyCounting(signal: AbortSignal): Reading {
  return { signal, sink: async () => {}, refuse: () => {}, batchRows: 65_536, batchBytes: 16 * 1024 * 1024 };
}
