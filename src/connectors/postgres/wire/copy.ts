import type { Socket } from 'node:net';
import { createBatches, takeBytes } from '../../kit/index.ts';
import type { Batches, Intake, ReadChunk, ReadOptions } from '../../kit/index.ts';
import type { RowExcerpt } from '../../../columns/index.ts';
import { Failure, toFailure } from '../../../errors.ts';
import type { Connection } from '../connect.ts';
import { arrivesAs } from '../types.ts';
import { cancelledFailure, translateError, type Place } from '../failures.ts';
import { createDecoder, STOP, type Decoder, type StreamHead, type WireColumn } from './decoder.ts';
import { createInbox, LARGEST_MESSAGE, takeMessage, type Inbox } from './inbox.ts';
import { parseCommandRows, parseResultTypes, parseServerError, queryMessage } from './messages.ts';
import { describeRow, excerptFields, findLargestField } from './rows.ts';

export interface CopyWork {
  /** A select of nothing, which tells the types of `columns`, and a `COPY … TO STDOUT (FORMAT binary)` of the same list. */
  readonly sql: string;
  readonly columns: readonly WireColumn[];
  /** Positions in `columns` of the key, to name refused rows. */
  readonly key: readonly number[];
  readonly options: ReadOptions & Pick<ReadChunk, 'counted'>;
  readonly place: Place;
}

/**
 * Runs a binary `COPY` on the connection and hands its rows to the sink, batch by batch, in order. One batch may be with
 * the sink while the next is decoded; when both are full the socket is paused, so memory stays at two batches. Before:
 * the connection is idle. After success: it is idle again. After a failure it must be abandoned.
 */
export async function copyRows(connection: Connection, work: CopyWork): Promise<void> {
  if (work.options.signal.aborted) throw cancelledFailure();
  const socket = connection.socket();
  if (socket.destroyed) throw connection.broken() ?? lostFailure(work.place);
  await streamCopy(socket, work, connection.broken);
}

function streamCopy(socket: Socket, work: CopyWork, broken: () => Failure | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = work.options;
    const settle = (failure?: unknown): void => {
      if (reading.settled) return;
      reading.settled = true;
      reading.intake.end();
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      if (failure === undefined) resolve();
      else reject(toFailure(failure));
    };
    const intake = takeBytes(socket, (bytes) => take(reading, bytes));
    const reading = startReading(intake, work, settle);
    // What the server said before it hung up explains more than the hanging up.
    const onClose = (): void => settle(reading.error ?? broken() ?? lostFailure(work.place));
    const onAbort = (): void => settle(cancelledFailure());
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.write(queryMessage(work.sql));
  });
}

function lostFailure(place: Place): Failure {
  return new Failure('connection_lost', `the connection to ${place.host}:${place.port} was lost while reading`);
}

/** The state of one `COPY`: bytes come in, batches go out, `settle` ends it. */
interface Reading {
  readonly intake: Intake;
  readonly work: CopyWork;
  readonly inbox: Inbox;
  readonly batches: Batches<Decoder>;
  /** What stands before the first row; one decoder or the other meets it. */
  readonly head: StreamHead;
  readonly settle: (failure?: unknown) => void;
  settled: boolean;
  /** Both batches are full; the intake is paused. */
  waiting: boolean;
  error: Failure | undefined;
  /** Rows of the batches before the current one. */
  rowsBefore: number;
  refused: number;
}

function startReading(intake: Intake, work: CopyWork, settle: (failure?: unknown) => void): Reading {
  const { sink, batchRows, batchBytes } = work.options;
  const head: StreamHead = { pending: true };
  const batches = createBatches({
    create: () => createDecoder(work.columns, { rows: batchRows, bytes: batchBytes }, head),
    sink,
    onFree: () => resume(reading),
    onFailure: settle,
  });
  const reading: Reading = {
    intake,
    work,
    inbox: createInbox(),
    batches,
    head,
    settle,
    settled: false,
    waiting: false,
    error: undefined,
    rowsBefore: 0,
    refused: 0,
  };
  return reading;
}

function take(reading: Reading, bytes: Uint8Array): void {
  reading.inbox.put(bytes);
  if (!reading.waiting) advance(reading);
}

function resume(reading: Reading): void {
  if (!reading.waiting || reading.settled) return;
  reading.waiting = false;
  advance(reading);
  if (!reading.waiting && !reading.settled) reading.intake.resume();
}

/** Decodes until the bytes run out or both batches are full. */
function advance(reading: Reading): void {
  try {
    while (!reading.settled && decodeSome(reading));
  } catch (error) {
    reading.settle(error);
  }
}

/** One step; false when more bytes, or a free batch, must come first. */
function decodeSome(reading: Reading): boolean {
  const { inbox, batches } = reading;
  const decoder = batches.current();
  inbox.start = decoder.decode(inbox.bytes, inbox.view, { from: inbox.start, end: inbox.end });
  switch (decoder.stop) {
    case STOP.more:
      if (decoder.needed > LARGEST_MESSAGE) skipLargeRow(reading, decoder.needed);
      else inbox.makeRoom(decoder.needed);
      return false;
    case STOP.full:
      return handOver(reading);
    case STOP.refused: {
      const reason = 'the value does not fit the decimal: NaN, infinite or too long';
      refuse(reading, { column: decoder.refusedColumn, reason, fieldsAt: decoder.refusedAt });
      return true;
    }
    case STOP.other:
      return readMessage(reading);
    default:
      throw new Failure('internal', 'the server sent rows of another shape than was asked for');
  }
}

function handOver(reading: Reading): boolean {
  const { rows } = reading.batches.current();
  if (reading.batches.handOver()) {
    reading.rowsBefore += rows;
    return true;
  }
  reading.waiting = true;
  reading.intake.pause();
  return false;
}

interface Refusal {
  readonly column: number;
  readonly reason: string;
  /** Where the fields of the row start in the inbox. */
  readonly fieldsAt: number;
}

function refuse(reading: Reading, { column, reason, fieldsAt }: Refusal): void {
  const { work, inbox, batches, rowsBefore } = reading;
  reading.refused++;
  const place = `row ${rowsBefore + batches.current().rows + 1} of the read`;
  const span = { from: fieldsAt, end: inbox.end };
  const key = describeRow(inbox.view, span, work) ?? place;
  const values = (): RowExcerpt => excerptFields(inbox.view, span, work);
  work.options.refuse({ column: work.columns[column]?.column.name ?? '', reason, key, values });
}

/** More of a row that is too large to be read is not waited for. */
const SHOWN_BYTES = 64 * 1024;

function skipLargeRow(reading: Reading, length: number): void {
  const { inbox, head, work } = reading;
  const fieldsAt = inbox.start + 5 + (head.pending ? 19 : 0) + 2;
  // Enough of the row must be here to say which one it is, and to show how it begins.
  if (inbox.end < fieldsAt + SHOWN_BYTES) return;
  const column = findLargestField(inbox.view, { from: fieldsAt, end: inbox.end }, work.columns.length);
  const megabytes = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);
  const reason = `the row takes ${megabytes(length)} MB; at most ${megabytes(LARGEST_MESSAGE)} MB can be read`;
  refuse(reading, { column, reason, fieldsAt });
  head.pending = false;
  inbox.skip(length);
}

/** A message other than a row; false when it is not complete yet, or was the last. */
function readMessage(reading: Reading): boolean {
  const message = takeMessage(reading.inbox);
  if (!message) return false;
  if (message.type === 'T') checkTypes(reading, parseResultTypes(message.body));
  if (message.type === 'C') checkRows(reading, parseCommandRows(message.body));
  if (message.type === 'E') reading.error = translateError(parseServerError(message.body), reading.work.place);
  if (message.type !== 'Z') return true;
  if (reading.error) reading.settle(reading.error);
  else reading.batches.flush().then(() => reading.settle(), reading.settle);
  return false;
}

/** A table that was altered since its columns were looked up might send other types, which nothing in the rows shows. */
function checkTypes({ work }: Reading, types: readonly number[]): void {
  const at = work.columns.findIndex(({ wire }, index) => !arrivesAs(wire, types[index] ?? 0));
  if (at < 0 && types.length === work.columns.length) return;
  const name = work.columns[at]?.column.name ?? '';
  throw new Failure('connection_lost', `the table was altered while its reading began: column "${name}"`);
}

/** What the server counted while it sent: nothing may be lost on the way. */
function checkRows({ work, batches, rowsBefore, refused }: Reading, sent: number | undefined): void {
  if (sent === undefined) return;
  const read = rowsBefore + batches.current().rows + refused;
  if (sent === read) work.options.counted?.(sent);
  else throw new Failure('internal', `the server sent ${sent} rows, but ${read} were read`);
}
