import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { Failure } from '../../../errors.ts';
import type { ReadChanges, ReadEnd } from '../../kit/index.ts';
import type { Query } from '../catalog.ts';
import { cancelledFailure } from '../failures.ts';
import { comparePlaces, type LogPlace } from '../snapshot.ts';
import { readLength } from '../wire/packets.ts';
import { alteredStreams, type Told } from './altered.ts';
import {
  brokenFailure,
  EVENT,
  hasChecksums,
  parseEvent,
  parseRotate,
  parseStatement,
  ROWS,
  type LogEvent,
} from './events.ts';
import { gtidList, mariadbGtid, mysqlGtid, previousGtids } from './gtid-events.ts';
import { copyGtids, type Gtids } from './gtids.ts';
import { isOf, parsePosition, printPosition } from './position.ts';
import type { Dump } from './replica.ts';
import { createRowReader, type RowReader } from './rows.ts';
import type { Shapes } from './shapes.ts';
import { createStarts, foreignFailure, type Starts } from './starts.ts';
import { readStatement, type StatementMeaning } from './statements.ts';
import { parseTableMap, tableNumber } from './table-map.ts';
import { createLogCursor, type LogCursor } from './transactions.ts';

export interface ReadWork {
  readonly dump: Dump;
  readonly query: Query;
  readonly changes: ReadChanges;
  readonly told: Told;
  readonly shapes: Shapes;
  /** Whose log it is. */
  readonly server?: string;
}

/** Largest size that something compressed may have. */
const LARGEST_INFLATED = 256 * 1024 * 1024;
const TICK = 100;

/** Reads events until the work says so; see `ChangeLog.read`. */
export async function readChanges(work: ReadWork): Promise<ReadEnd> {
  const { dump, changes } = work;
  const reading = startReading(work);
  if (isReached(reading)) return finish(reading, { reason: 'reached', streams: [] });
  for (;;) {
    if (changes.signal.aborted) throw cancelledFailure();
    const frame = dump.next();
    if (!frame) {
      await dump.wait(TICK);
      if (!reading.cursor.isOpen && changes.wantsBoundary() && mayTell(reading)) await tellBoundary(reading);
      continue;
    }
    const checksum = reading.checksums;
    const event = parseEvent(frame.bytes, frame.view, { from: frame.from, end: frame.end, checksum });
    if (event.type === EVENT.formatDescription) reading.checksums = hasChecksums(event, frame.end);
    for (const waited of takeEvent(reading, event)) await waited;
    if (reading.ended) return finish(reading, reading.ended);
  }
}

/** The state of one read. */
interface Reading {
  readonly work: ReadWork;
  readonly cursor: LogCursor;
  readonly rows: RowReader;
  readonly starts: Starts;
  /** Undefined when reading began behind a place of another server. */
  readonly from: LogPlace | undefined;
  readonly upTo: LogPlace | undefined;
  checksums: boolean;
  /** Why reading ends at the present place. */
  ended: ReadEnd | undefined;
}

/** Before every file: the server says in which one it begins. */
const NOWHERE: LogPlace = { file: '', offset: 0 };

function startReading(work: ReadWork): Reading {
  const { changes } = work;
  const from = parsePosition(changes.from);
  const isHere = isOf(from, work.server);
  const upTo = changes.upTo === undefined ? undefined : parsePosition(changes.upTo);
  if (upTo && !isOf(upTo, work.server)) throw foreignFailure(changes.upTo ?? '');
  const cursor = createLogCursor(isHere ? from : NOWHERE, from.gtids && copyGtids(from.gtids));
  const starts = createStarts(changes.streams, work.server, cursor);
  return {
    work,
    cursor,
    rows: createRowReader(work, cursor, starts),
    starts,
    from: isHere ? from : undefined,
    upTo,
    checksums: work.dump.checksums,
    ended: undefined,
  };
}

const isReached = ({ cursor, upTo }: Reading): boolean => upTo !== undefined && comparePlaces(cursor.place, upTo) >= 0;

/** A file that is read again from its start holds places that were told already. */
const mayTell = ({ cursor, from, starts }: Reading): boolean =>
  (from ? comparePlaces(cursor.place, from) >= 0 : cursor.hasMoved) && starts.isComparable();

async function tellBoundary({ rows, cursor, work, from }: Reading): Promise<void> {
  await rows.flush();
  const here = { ...cursor.place, server: work.server, gtids: cursor.gtids };
  await work.changes.boundary(from || cursor.hasMoved ? printPosition(here) : work.changes.from);
}

async function finish(reading: Reading, end: ReadEnd): Promise<ReadEnd> {
  await tellBoundary(reading);
  return end;
}

/** What has to be waited for while the event is worked on. */
type Waits = Iterable<Promise<unknown>>;

const NONE: readonly Promise<unknown>[] = [];
const STANDS_ALONE = 1;

function takeEvent(reading: Reading, event: LogEvent): Waits {
  const { cursor, rows } = reading;
  if (ROWS[event.type]) {
    cursor.pass(event);
    return rows.read(event, inflate);
  }
  switch (event.type) {
    case EVENT.rotate:
      cursor.enterFile(parseRotate(event));
      rows.forget();
      return reachBoundary(reading);
    case EVENT.tableMap:
      cursor.pass(event);
      return rows.knows(tableNumber(event)) ? NONE : rows.meet(tableNumber(event), parseTableMap(event));
    case EVENT.mariadbGtid:
      cursor.pass(event);
      cursor.begin(event, mariadbGtid(event));
      cursor.endsByCommit = ((event.bytes[event.from + 12] ?? 0) & STANDS_ALONE) === 0;
      return NONE;
    case EVENT.gtid:
      cursor.pass(event);
      cursor.begin(event, mysqlGtid(event));
      return NONE;
    case EVENT.anonymousGtid:
    case EVENT.taggedGtid:
      cursor.pass(event);
      cursor.begin(event);
      // From here on nobody can tell by numbers what was read.
      cursor.gtids = undefined;
      return NONE;
    case EVENT.xid:
      cursor.pass(event);
      return endTransaction(reading);
    case EVENT.query:
    case EVENT.mariadbCompressedQuery:
      return takeStatement(reading, event);
    case EVENT.heartbeat:
    case EVENT.heartbeatWide:
      if (cursor.isOpen || event.offset <= cursor.offset) return NONE;
      cursor.passHeartbeat(event.offset);
      return endTransaction(reading);
    case EVENT.transactionPayload:
      cursor.pass(event);
      return takePayload(reading, event);
    default:
      return takeOther(reading, event);
  }
}

function takeOther(reading: Reading, event: LogEvent): Waits {
  const { cursor } = reading;
  if (event.type === EVENT.partialUpdateRows) {
    throw new Failure(
      'configuration_invalid',
      "the log holds parts of JSON values only: set global binlog_row_value_options = '' and load the tables anew",
    );
  }
  if (event.type === EVENT.incident)
    throw new Failure('object_missing', 'the log tells that events of it were lost; load the tables anew');
  if (event.type === EVENT.xaPrepare) {
    const isOnePhase = event.bytes[event.from] !== 0;
    if (cursor.hasRows && !isOnePhase)
      throw new Failure('object_missing', 'the log holds a distributed (XA) transaction, which cannot be followed');
    cursor.pass(event);
    return endTransaction(reading);
  }
  if (event.type === EVENT.formatDescription) reading.rows.forget();
  learnGtids(cursor, event);
  cursor.pass(event);
  if (cursor.isOpen) return NONE;
  cursor.skip();
  return reachBoundary(reading);
}

/** Each file begins with what was written before it: where that is not known yet, it is now. */
function learnGtids(cursor: LogCursor, event: LogEvent): void {
  // A server may put such an event before the place that was asked for.
  if (cursor.gtids || event.offset === 0 || event.offset <= cursor.offset) return;
  let told: Gtids | undefined;
  if (event.type === EVENT.mariadbGtidList) told = gtidList(event);
  if (event.type === EVENT.previousGtids) told = previousGtids(event);
  cursor.gtids = told;
}

/** Behind a transaction, or between two. */
function* reachBoundary(reading: Reading): Generator<Promise<unknown>> {
  const { cursor, work } = reading;
  if (cursor.isOpen) return;
  if (isReached(reading)) {
    reading.ended = { reason: 'reached', streams: [] };
    return;
  }
  if (work.changes.wantsBoundary() && mayTell(reading)) yield tellBoundary(reading);
}

function* endTransaction(reading: Reading): Generator<Promise<unknown>> {
  reading.cursor.end();
  yield* reachBoundary(reading);
}

function* takeStatement(reading: Reading, event: LogEvent): Generator<Promise<unknown>> {
  const { cursor } = reading;
  const packed = event.type === EVENT.mariadbCompressedQuery;
  const statement = parseStatement(event, packed ? inflate : undefined);
  const meaning = readStatement(statement);
  const reason = END_OF[meaning.kind];
  if (reason) {
    yield* meetDefinition(reading, meaning, reason);
    if (reading.ended) return;
  }
  if (meaning.kind === 'changes') refuseText(reading, meaning);
  cursor.pass(event);
  switch (meaning.kind) {
    case 'begin':
      if (!cursor.isOpen) cursor.begin(event);
      cursor.endsByCommit = true;
      return;
    case 'rollback':
      if (cursor.hasRows) {
        throw new Failure(
          'object_missing',
          'the log holds rows that were taken back, which cannot be followed: do not mix tables with and without transactions',
        );
      }
      // Back to a savepoint is not the end.
      if (!/^rollback\s+(?:work\s+)?to\b/i.test(statement.text.trimStart())) yield* endTransaction(reading);
      return;
    case 'commit':
      yield* endTransaction(reading);
      return;
    default:
      if (!cursor.endsByCommit) yield* endTransaction(reading);
  }
}

/** How a read ends before statements that concern its tables. */
const END_OF: { readonly [Kind in StatementMeaning['kind']]?: ReadEnd['reason'] } = {
  altered: 'columns changed',
  emptied: 'truncated',
  replaced: 'replaced',
};

/** Ends the read before a statement that empties, widens or replaces a table that is followed, once per session. */
function* meetDefinition(
  reading: Reading,
  meaning: StatementMeaning,
  reason: ReadEnd['reason'],
): Generator<Promise<unknown>> {
  const { work, rows, cursor, starts } = reading;
  const found = { streams: [] as number[] };
  yield (async () => {
    found.streams = await alteredStreams({ ...work, starts }, meaning, cursor.place);
  })();
  rows.forget();
  if (found.streams.length > 0) reading.ended = { reason, streams: found.streams };
}

function refuseText({ work, starts }: Reading, { tables }: StatementMeaning): void {
  for (const [index, { selection }] of work.changes.streams.entries()) {
    const isOurs = tables.some(({ namespace, name }) => namespace === selection.namespace && name === selection.name);
    if (!isOurs || starts.isKnown(index)) continue;
    throw new Failure(
      'configuration_invalid',
      `the log holds a statement that changed "${selection.namespace}.${selection.name}" as text, not as rows: every session must write with binlog_format = ROW; load the table anew`,
    );
  }
}

/** MariaDB: first byte 0x80 + bytes of the size, the size, deflated data. */
function inflate(packed: Buffer): Buffer {
  const sizeBytes = (packed[0] ?? 0) & 7;
  if (((packed[0] ?? 0) & 0x70) !== 0) throw brokenFailure('an event is compressed in an unknown way');
  return inflateSync(packed.subarray(1 + sizeBytes), { maxOutputLength: LARGEST_INFLATED });
}

const PAYLOAD = { end: 0, compression: 2 } as const;
const COMPRESSION = { zstd: 0, none: 255 } as const;

/** A whole transaction of MySQL in one event: facts as type, length, value; a zero; the events, which have no checksums. */
function* takePayload(reading: Reading, { bytes, from, end, offset }: LogEvent): Generator<Promise<unknown>> {
  let at = from;
  let compression: number = COMPRESSION.none;
  while (at < end) {
    const kind = readLength(bytes, at);
    at = kind.next;
    if (kind.value === PAYLOAD.end) break;
    const length = readLength(bytes, at);
    if (kind.value === PAYLOAD.compression) compression = readLength(bytes, length.next).value;
    at = length.next + length.value;
  }
  const packed = bytes.subarray(at, end);
  if (compression !== COMPRESSION.zstd && compression !== COMPRESSION.none) {
    throw brokenFailure('a transaction is compressed in an unknown way');
  }
  // A copy in any case: the bytes below may move while we wait.
  const events =
    compression === COMPRESSION.zstd
      ? zstdDecompressSync(packed, { maxOutputLength: LARGEST_INFLATED })
      : Buffer.from(packed);
  const view = new DataView(events.buffer, events.byteOffset, events.length);
  for (let place = 0; place < events.length;) {
    const size = view.getUint32(place + 9, true);
    const inner = parseEvent(events, view, { from: place, end: place + size, checksum: false });
    yield* takeEvent(reading, { ...inner, offset });
    place += Math.max(size, 1);
  }
}
