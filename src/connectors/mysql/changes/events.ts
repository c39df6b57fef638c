import { crc32 } from 'node:zlib';
import { Failure } from '../../../errors.ts';

/** Types of events of the binary log that mean something to us. */
export const EVENT = {
  query: 2,
  rotate: 4,
  formatDescription: 15,
  xid: 16,
  tableMap: 19,
  heartbeat: 27,
  incident: 26,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatWide: 41,
  taggedGtid: 42,
  mariadbGtid: 162,
  mariadbGtidList: 163,
  mariadbStartEncryption: 164,
  mariadbCompressedQuery: 165,
} as const;

export type RowsKind = 'insert' | 'update' | 'delete';

export interface RowsForm {
  readonly kind: RowsKind;
  /** A block of further data stands before the columns. */
  readonly extended: boolean;
  readonly compressed: boolean;
}

const rows = (kind: RowsKind, extended: boolean, compressed = false): RowsForm => ({ kind, extended, compressed });

/** Events with images of rows, by type. */
export const ROWS: Readonly<Record<number, RowsForm>> = {
  23: rows('insert', false),
  24: rows('update', false),
  25: rows('delete', false),
  30: rows('insert', true),
  31: rows('update', true),
  32: rows('delete', true),
  166: rows('insert', false, true),
  167: rows('update', false, true),
  168: rows('delete', false, true),
  169: rows('insert', true, true),
  170: rows('update', true, true),
  171: rows('delete', true, true),
};

/** One event: its body is [from, end) of `bytes`, without head and checksum. */
export interface LogEvent {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly type: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly serverId: number;
  /** Where the event ends in its file, modulo 2^32; 0 when it is in no file. */
  readonly offset: number;
  readonly from: number;
  readonly end: number;
}

const HEAD = 19;
const CHECKSUM = 4;

/**
 * The event in [from, end), its checksum verified where there is one. A format description says whether the events after
 * it have one, and always has room for one.
 */
export function parseEvent(bytes: Buffer, view: DataView, frame: { from: number; end: number; checksum: boolean }) {
  const { from, end, checksum } = frame;
  if (end - from < HEAD) throw brokenFailure('an event is shorter than its head');
  const type = bytes[from + 4] ?? 0;
  const bodyEnd = checksum ? end - CHECKSUM : end;
  if (
    checksum &&
    type !== EVENT.formatDescription &&
    view.getUint32(bodyEnd, true) !== crc32(bytes.subarray(from, bodyEnd))
  ) {
    throw brokenFailure('the checksum of an event is wrong');
  }
  const event: LogEvent = {
    bytes,
    view,
    type,
    timestamp: view.getUint32(from, true),
    serverId: view.getUint32(from + 5, true),
    offset: view.getUint32(from + 13, true),
    from: from + HEAD,
    end: bodyEnd,
  };
  return event;
}

/** True when the events that follow this format description have checksums. */
export function hasChecksums({ bytes }: LogEvent, wholeEnd: number): boolean {
  return bytes[wholeEnd - CHECKSUM - 1] === 1;
}

export function parseRotate({ bytes, view, from, end }: LogEvent): { file: string; offset: number } {
  return { file: bytes.toString('utf8', from + 8, end), offset: Number(view.getBigUint64(from, true)) };
}

export interface StatementEvent {
  readonly schema: string;
  readonly text: string;
}

const LONGEST_STATEMENT = 4096;
const QUERY_HEAD = 13;

/** Thread, time, length of the schema, error, length of variables; variables, schema, NUL, text. Only the text's beginning is kept. */
export function parseStatement(
  { bytes, view, from, end }: LogEvent,
  inflate?: (packed: Buffer) => Buffer,
): StatementEvent {
  const schemaLength = bytes[from + 8] ?? 0;
  const schemaAt = from + QUERY_HEAD + view.getUint16(from + 11, true);
  const textAt = schemaAt + schemaLength + 1;
  const schema = bytes.toString('utf8', schemaAt, schemaAt + schemaLength);
  const text = inflate
    ? inflate(bytes.subarray(textAt, end)).toString('utf8', 0, LONGEST_STATEMENT)
    : bytes.toString('utf8', textAt, Math.min(end, textAt + LONGEST_STATEMENT));
  return { schema, text };
}

const COMMIT_TIME_AT = 42;

/** Microseconds since 1970 at which MySQL committed the transaction that this event begins; undefined when it does not say. */
export function commitMicros({ bytes, from, end }: LogEvent): number | undefined {
  if (end - from < COMMIT_TIME_AT + 7 || bytes[from + 25] !== 2) return undefined;
  const low = bytes.readUIntLE(from + COMMIT_TIME_AT, 6);
  // The highest of 56 bits says that another time follows.
  const high = (bytes[from + COMMIT_TIME_AT + 6] ?? 0) & 0x7f;
  return low + high * 2 ** 48;
}

export function brokenFailure(reason: string): Failure {
  return new Failure('connection_lost', `the binary log cannot be read: ${reason}; the next attempt reads it again`);
}
