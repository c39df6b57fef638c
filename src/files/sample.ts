import type { ColumnType } from '../columns/index.ts';
import { Failure } from '../errors.ts';
import { guessColumns, uniteColumns } from './guess.ts';
import type { DataFile, FileGroup } from './listing.ts';
import { describeParquet } from './parquet/read.ts';
import { readRecords, withFile } from './read.ts';
import type { FileSettings, TypeWord } from './settings.ts';
import type { FileColumn, FileStream, Surroundings } from './shapes.ts';
import { TIME_COLUMN } from './shapes.ts';

/** Of a stream of many files so many are looked into, evenly spread, the first and the last among them. */
const MOST_SAMPLED = 64;
/** Text that is looked at for each record of a sample; 1000 records = 1 MiB. */
const BYTES_PER_RECORD = 1024;

const TYPES: Readonly<Record<TypeWord, ColumnType>> = {
  string: { kind: 'string' },
  integer: { kind: 'long' },
  number: { kind: 'double' },
  boolean: { kind: 'boolean' },
  timestamp: { kind: 'timestamp' },
};

/**
 * Describes a stream by samples of its files: the columns of all of them, each in the narrowest type that holds what was
 * seen; Parquet files by their footers. Types that the user names win.
 */
export async function describeStream(
  group: FileGroup,
  settings: FileSettings,
  { log, signal }: Pick<Surroundings, 'log' | 'signal'>,
): Promise<FileStream> {
  const files = chooseFiles(group.files);
  if (files.length < group.files.length) {
    const message = `${group.namespace}.${group.name}: columns are taken from ${files.length} of ${group.files.length} files`;
    log({ level: 'info', message });
  }
  const guess = guessColumns();
  const stored: (readonly FileColumn[])[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    try {
      if (file.format === 'parquet')
        stored.push(await withFile(file, signal, (opened) => describeParquet(opened, file)));
      else await sampleText(file, settings, { guess, signal });
    } catch (error) {
      if (!isOfFile(error)) throw error;
      log({ level: 'warn', message: `columns are found without a file that cannot be read: ${error.message}` });
    }
  }
  const columns = uniteColumns([guess.columns(), ...stored]).map((column) => withGivenType(column, settings));
  return {
    namespace: group.namespace,
    name: group.name,
    columns: [...columns, timeColumn()],
    primaryKey: [],
    modes: ['full_refresh', 'incremental'],
  };
}

async function sampleText(
  file: DataFile,
  settings: FileSettings,
  { guess, signal }: { guess: ReturnType<typeof guessColumns>; signal: AbortSignal },
): Promise<void> {
  guess.enter(settings.sampleRows, settings.sampleRows * BYTES_PER_RECORD);
  await readRecords(file, { settings, taker: guess, signal });
}

/** True for what ails one file: it is told when it is read, and no reason to hide the stream or others. */
function isOfFile(error: unknown): error is Failure {
  const kinds: readonly string[] = ['value_refused', 'connection_lost', 'permission_missing', 'object_missing'];
  return error instanceof Failure && kinds.includes(error.kind);
}

function chooseFiles(files: readonly DataFile[]): readonly DataFile[] {
  if (files.length <= MOST_SAMPLED) return files;
  const step = (files.length - 1) / (MOST_SAMPLED - 1);
  return Array.from({ length: MOST_SAMPLED }, (_, at) => files[Math.round(at * step)]!);
}

function withGivenType(column: FileColumn, { types }: FileSettings): FileColumn {
  const word = types.get(column.name);
  return word === undefined ? column : { ...column, sourceType: word, column: { ...column.column, type: TYPES[word] } };
}

function timeColumn(): FileColumn {
  const column = { name: TIME_COLUMN, type: { kind: 'timestamp' }, nullable: true } as const;
  return { name: TIME_COLUMN, sourceType: 'timestamp', column, orderable: true };
}
