import { Failure } from '../errors.ts';
import { readCsv } from './csv.ts';
import { promisesLines } from './formats.ts';
import { inflate } from './inflate.ts';
import { readJson } from './json.ts';
import type { DataFile } from './listing.ts';
import { readParquet } from './parquet/read.ts';
import type { OpenFile } from './places/types.ts';
import { collectRows } from './rows.ts';
import type { RecordTaker, RowCollector } from './rows.ts';
import type { FileSettings } from './settings.ts';
import type { FileColumn, Reading, Surroundings } from './shapes.ts';
import { unzip } from './unzip.ts';

/** Opens a file for `work` and closes it whatever happens. */
export async function withFile<T>(
  file: DataFile,
  signal: AbortSignal,
  work: (opened: OpenFile) => Promise<T>,
): Promise<T> {
  const opened = await file.place.open(file, signal);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

interface Records {
  readonly settings: FileSettings;
  readonly taker: RecordTaker;
  readonly signal: AbortSignal;
  readonly drain?: () => Promise<void>;
}

/** Reads the records of a csv or JSON file into the taker. */
export function readRecords(file: DataFile, { settings, taker, signal, drain }: Records): Promise<void> {
  return withFile(file, signal, async (opened) => {
    const { bytes, packed } = await contentOf(opened, file, settings);
    // A file that grows is read up to its last whole record; the rest comes when it is listed anew.
    const isCut = (): boolean => {
      if (opened.grown && packed) throw grewTooMuch(file);
      return opened.grown;
    };
    const common = { location: file.location, drain, isCut };
    if (file.format === 'csv') await readCsv(bytes, { ...common, settings: settings.csv }, taker);
    else await readJson(bytes, { ...common, lineDelimited: lineDelimited(file, settings) }, taker);
  });
}

async function contentOf(opened: OpenFile, file: DataFile, { compression }: FileSettings) {
  const content = await inflate(opened.stream(), compression, file.location);
  if (content === 'zip') return { bytes: unzip(opened, file), packed: true };
  return { bytes: content.bytes, packed: content.packed };
}

function lineDelimited(file: DataFile, { lines, lineDelimited: given }: FileSettings): boolean | undefined {
  return lines || promisesLines(file.path) ? true : given;
}

function grewTooMuch(file: DataFile): Failure {
  return new Failure('connection_lost', `${file.location} grows while it is read, which only plain text files may`, {
    advice:
      'The next attempt lists the files again. Copy finished files into the folder instead of writing them there piece by piece.',
  });
}

/** What one read of several files shares. */
export interface FilesReading {
  /** Names of the stream's columns, also of those that are not read. */
  readonly known: readonly string[];
  readonly columns: readonly FileColumn[];
  readonly settings: FileSettings;
  readonly reading: Reading;
  readonly log: Surroundings['log'];
  /** Called when all rows of a file are with the sink; for the last files of a batch, that may be later than read. */
  readonly fileDone?: (file: DataFile, rows: number) => Promise<void>;
  /** Every file's rows reach the sink before the next one is begun. */
  readonly apart: boolean;
}

/** Reads the files in their order. Rows of small files share batches, unless each is to be told apart. */
export async function readFiles(files: readonly DataFile[], work: FilesReading): Promise<void> {
  const rows = collectRows(work.columns, work);
  for (const file of files) {
    work.reading.signal.throwIfAborted();
    const read = file.format === 'parquet' ? await readWhole(file, rows, work) : await readText(file, rows, work);
    if (work.apart) await rows.finish();
    await work.fileDone?.(file, read);
  }
  await rows.finish();
  reportStrangers(rows, work);
}

async function readText(file: DataFile, rows: RowCollector, { settings, reading }: FilesReading): Promise<number> {
  rows.enter(file);
  await readRecords(file, { settings, taker: rows, signal: reading.signal, drain: rows.drain });
  return rows.rows;
}

async function readWhole(file: DataFile, rows: RowCollector, { columns, reading }: FilesReading): Promise<number> {
  // What was collected of files before comes first.
  await rows.finish();
  return withFile(file, reading.signal, async (opened) => {
    if (opened.grown) throw grewTooMuch(file);
    const read = await readParquet(opened, file, { columns, reading });
    await opened.confirm();
    return read;
  });
}

function reportStrangers({ strangers }: RowCollector, { log }: FilesReading): void {
  if (strangers.size === 0) return;
  const named = [...strangers].slice(0, 10).map(([name, file]) => `"${name}" (first in ${file})`);
  const more = strangers.size > named.length ? ` and ${strangers.size - named.length} more` : '';
  const message = `columns that were not among the sampled rows are left out: ${named.join(', ')}${more}; raise sample_rows`;
  log({ level: 'warn', message });
}
