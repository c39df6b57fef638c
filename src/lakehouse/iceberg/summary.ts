import type { DataFile, Snapshot } from './model.ts';
import { dataFile, equalityDeletes, positionDeletes } from './model.ts';

/** What some files amount to. */
export interface Tally {
  dataFiles: number;
  records: number;
  bytes: number;
  equalityFiles: number;
  equalityDeletes: number;
  positionFiles: number;
  positionDeletes: number;
  readonly partitions: Set<string>;
}

export function emptyTally(): Tally {
  return {
    dataFiles: 0,
    records: 0,
    bytes: 0,
    equalityFiles: 0,
    equalityDeletes: 0,
    positionFiles: 0,
    positionDeletes: 0,
    partitions: new Set(),
  };
}

/** Adds a file to the tally. */
export function count(tally: Tally, file: DataFile): void {
  tally.bytes += file.bytes;
  tally.partitions.add(String([...file.partition].flat()));
  if (file.content === dataFile) {
    tally.dataFiles += 1;
    tally.records += file.records;
  } else if (file.content === positionDeletes) {
    tally.positionFiles += 1;
    tally.positionDeletes += file.records;
  } else if (file.content === equalityDeletes) {
    tally.equalityFiles += 1;
    tally.equalityDeletes += file.records;
  }
}

export interface SummaryParts {
  readonly operation: string;
  readonly added: Tally;
  readonly removed: Tally;
  /** Of the parent snapshot; all zero for the first. */
  readonly before: Totals;
  readonly extra: Readonly<Record<string, string>>;
}

export interface Totals {
  readonly records: number;
  readonly dataFiles: number;
  readonly bytes: number;
  readonly deleteFiles: number;
  readonly positionDeletes: number;
  readonly equalityDeletes: number;
}

/** A snapshot's summary with the keys that other engines write; zero changes are left out, totals never. */
export function summarize(parts: SummaryParts): Snapshot['summary'] {
  const { added, removed, before } = parts;
  const changes = {
    ...changeKeys('added', 'added', added),
    ...changeKeys('deleted', 'removed', removed),
    'changed-partition-count': new Set([...added.partitions, ...removed.partitions]).size,
  };
  const totals = {
    'total-records': before.records + added.records - removed.records,
    'total-data-files': before.dataFiles + added.dataFiles - removed.dataFiles,
    'total-files-size': before.bytes + added.bytes - removed.bytes,
    'total-delete-files': before.deleteFiles + deleteFiles(added) - deleteFiles(removed),
    'total-position-deletes': before.positionDeletes + added.positionDeletes - removed.positionDeletes,
    'total-equality-deletes': before.equalityDeletes + added.equalityDeletes - removed.equalityDeletes,
  };
  const changed = Object.entries(changes).filter(([, value]) => value !== 0);
  const numbers = [...changed, ...Object.entries(totals)].map(([key, value]) => [key, String(value)]);
  return { operation: parts.operation, ...Object.fromEntries(numbers), ...parts.extra };
}

const deleteFiles = (tally: Tally): number => tally.equalityFiles + tally.positionFiles;

function changeKeys(data: string, deletes: string, tally: Tally): Record<string, number> {
  return {
    [`${data}-data-files`]: tally.dataFiles,
    [`${data}-records`]: tally.records,
    [`${deletes}-files-size`]: tally.bytes,
    [`${deletes}-delete-files`]: deleteFiles(tally),
    [`${deletes}-equality-delete-files`]: tally.equalityFiles,
    [`${deletes}-equality-deletes`]: tally.equalityDeletes,
    [`${deletes}-position-delete-files`]: tally.positionFiles,
    [`${deletes}-position-deletes`]: tally.positionDeletes,
  };
}

const totalKeys = {
  records: 'total-records',
  dataFiles: 'total-data-files',
  bytes: 'total-files-size',
  deleteFiles: 'total-delete-files',
  positionDeletes: 'total-position-deletes',
  equalityDeletes: 'total-equality-deletes',
} as const satisfies Record<keyof Totals, string>;

/** The totals that a snapshot's summary states; undefined when its writer left some out. */
export function readTotals(snapshot: Snapshot | undefined): Totals | undefined {
  const read = (key: string): number => (snapshot ? Number(snapshot.summary[key] ?? Number.NaN) : 0);
  const entries = Object.entries(totalKeys).map(([name, key]) => [name, read(key)] as const);
  return entries.every(([, value]) => Number.isSafeInteger(value))
    ? (Object.fromEntries(entries) as unknown as Totals)
    : undefined;
}

/** The totals of counted files. */
export function totalsOf(tally: Tally): Totals {
  const { records, dataFiles, bytes, positionDeletes: positions, equalityDeletes: equalities } = tally;
  return {
    records,
    dataFiles,
    bytes,
    deleteFiles: deleteFiles(tally),
    positionDeletes: positions,
    equalityDeletes: equalities,
  };
}
