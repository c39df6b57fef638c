import { Failure } from '../../errors.ts';
import type { ConnectorContext } from '../kit/index.ts';
import type { Connection } from './connect.ts';

/** A place in the binary log. */
export interface LogPlace {
  readonly file: string;
  readonly offset: number;
  /** MySQL: the set of all transactions up to here, where it was told together with the place. */
  readonly executed?: string;
}

export interface SnapshotFacts {
  /** Every transaction up to here is seen by all readers; undefined without a binary log, or without the right to ask. */
  readonly place: LogPlace | undefined;
  /** False when each reader sees a moment of its own, all of them after `place`. */
  readonly shared: boolean;
  /** True when the connection that opened the snapshots is inside one of the same moment as all readers. */
  readonly controlShares: boolean;
}

const BEGIN = 'start transaction with consistent snapshot, read only';
const TRIES = 5;
/** Seconds that writers may have to wait for us. */
const LONGEST_LOCK = 3;
/** Where the first event of every file begins. */
const FILE_START = 4;

/**
 * Opens a transaction with a consistent snapshot on each reader, and on the connection that sees to it, all of them at one
 * moment where the server allows. MariaDB says at which place of its log a snapshot was taken: when all say the same, they see the same, and nobody was
 * locked out. Otherwise writers are locked out for an instant, when we may (right RELOAD). Otherwise the moments differ.
 */
export async function openSnapshots(
  readers: readonly Connection[],
  control: Connection,
  log: ConnectorContext['log'],
): Promise<SnapshotFacts> {
  const byItself = control.server.flavor === 'mariadb' ? await openAtSamePlace(readers, control) : undefined;
  if (byItself?.shared) return byItself;
  const locked = await lockWriters(control);
  if (locked === undefined) {
    try {
      const place = await readEnd(control).catch(() => undefined);
      await beginAll([...readers, control]);
      return { place, shared: true, controlShares: true };
    } finally {
      // Ends no transaction: only locks of single tables would take theirs along.
      await control.query('unlock tables');
      await control.query('set session lock_wait_timeout = default');
    }
  }
  if (readers.length > 1) {
    log({
      level: 'warn',
      message: `the readers of this load see slightly different moments, because writers could not be locked out (${locked.message}); grant RELOAD, or set max_threads to 1`,
    });
  }
  if (byItself) return byItself;
  // The end of the log may hold transactions that no snapshot sees yet; those of older files are in every snapshot.
  const end = await readEnd(control).catch(() => undefined);
  await beginAll(readers);
  const place = end && { file: end.file, offset: FILE_START };
  return { place, shared: readers.length === 1, controlShares: false };
}

async function beginAll(readers: readonly Connection[]): Promise<void> {
  await Promise.all(readers.map((reader) => reader.query(BEGIN)));
}

/** Undefined when the server does not say the places: it writes no log. */
async function openAtSamePlace(
  readers: readonly Connection[],
  control: Connection,
): Promise<SnapshotFacts | undefined> {
  const all = [...readers, control];
  for (let attempt = 1; ; attempt++) {
    await beginAll(all);
    const places = (await Promise.all(all.map(readSnapshotPlace))).filter((place) => place !== undefined);
    if (places.length < all.length) return undefined;
    const [first, ...others] = places.slice(0, -1).toSorted(comparePlaces);
    const isFirst = (place: LogPlace): boolean => first !== undefined && comparePlaces(first, place) === 0;
    const shared = others.every(isFirst);
    const controlShares = places.every(isFirst);
    if (controlShares || attempt === TRIES) return { place: first, shared, controlShares };
  }
}

async function readSnapshotPlace({ query }: Connection): Promise<LogPlace | undefined> {
  const rows = await query("show status like 'binlog_snapshot_%'");
  const values = new Map(rows.map(([name, value]) => [(name ?? '').toLowerCase(), value ?? '']));
  const file = values.get('binlog_snapshot_file') ?? '';
  return file === '' ? undefined : { file, offset: Number(values.get('binlog_snapshot_position')) };
}

/** Why not, when it cannot be done in time or is not allowed. */
async function lockWriters(control: Connection): Promise<Failure | undefined> {
  try {
    await control.query(`set session lock_wait_timeout = ${LONGEST_LOCK}`);
    await control.query('flush tables with read lock');
    return undefined;
  } catch (error) {
    if (control.broken() || !(error instanceof Failure)) throw error;
    return error;
  }
}

/** Where the log ends now. `object_missing` without a log, `permission_missing` without the right to ask. */
export async function readEnd({ query, server }: Connection): Promise<LogPlace> {
  const renamed = server.flavor === 'mysql' && server.version >= 80_004;
  const rows = await query(renamed ? 'show binary log status' : 'show master status');
  const [file, offset, , , executed] = rows[0] ?? [];
  if (file == null || offset == null) {
    throw new Failure('object_missing', 'the server writes no binary log; start it with log_bin');
  }
  return { file, offset: Number(offset), ...(executed != null && { executed }) };
}

/** Files are numbered; a number may outgrow its zeros. */
export function comparePlaces(a: LogPlace, b: LogPlace): number {
  const [first, second] = [a, b].map(({ file }) => Number(file.slice(file.lastIndexOf('.') + 1)));
  return (first ?? 0) - (second ?? 0) || a.offset - b.offset;
}
