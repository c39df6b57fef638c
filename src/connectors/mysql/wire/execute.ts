import type { Socket } from 'node:net';
import { Failure, toFailure } from '../../../errors.ts';
import type { Column, RowExcerpt } from '../../../columns/index.ts';
import { createBatches, takeBytes, type Batches, type Intake, type ReadOptions } from '../../kit/index.ts';
import type { Connection } from '../connect.ts';
import { cancelledFailure, lostFailure, translateNumber, type Place } from '../failures.ts';
import type { WireKind } from '../types.ts';
import { createDecoder, STOP, type Decoder, type WireColumn } from './decoder.ts';
import { createInbox, LARGEST_ROW, makeRoom, putBytes, takeJoined, takePacket, type Inbox } from './inbox.ts';
import {
  ANSWER,
  closeStatementPacket,
  COMMAND,
  commandPacket,
  executePacket,
  parseColumnDefinition,
  parseServerError,
  readLength,
  type ColumnDefinition,
} from './packets.ts';
import { describeRow, excerptFields } from './rows.ts';

export interface AskedColumn {
  readonly wire: WireKind;
  readonly column: Column;
}

export interface SelectWork {
  /** A select whose list is `columns`. */
  readonly sql: string;
  readonly columns: readonly AskedColumn[];
  /** Positions in `columns` of the key, to name refused rows. */
  readonly key: readonly number[];
  readonly options: ReadOptions;
  readonly place: Place;
}

/**
 * Runs a select by the binary protocol on the connection and hands its rows to the sink, batch by batch, in order. One
 * batch may be with the sink while the next is decoded; when both are full no bytes are read, so memory stays at two
 * batches. Before: the connection is idle. After success, or an error of the server, it is idle again;
 * otherwise its `exchange` stays open, and it must be abandoned.
 */
export async function selectRows(connection: Connection, work: SelectWork): Promise<void> {
  if (work.options.signal.aborted) throw cancelledFailure();
  const socket = connection.socket();
  if (socket.destroyed) throw connection.broken() ?? lostFailure(work.place);
  connection.exchange.isOpen = true;
  await streamRows(socket, work, connection);
  connection.exchange.isOpen = false;
}

function streamRows(socket: Socket, work: SelectWork, connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = work.options;
    const settle = (failure?: unknown): void => {
      if (reading.settled) return;
      reading.settled = true;
      intake.end();
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      if (failure === undefined) resolve();
      else reject(toFailure(failure));
    };
    const intake = takeBytes(socket, (bytes) => {
      putBytes(reading.inbox, bytes);
      if (!reading.waiting) advance(reading);
    });
    const reading = startReading(connection, work, { intake, settle });
    const onClose = (): void => settle(connection.broken() ?? lostFailure(work.place));
    const onAbort = (): void => settle(cancelledFailure());
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.write(commandPacket(COMMAND.prepare, Buffer.from(work.sql)));
  });
}

/** What the server sends next. */
type Stage = 'prepared' | 'prepared columns' | 'answer' | 'columns' | 'rows';

/** The state of one select: bytes come in, batches go out, `settle` ends it. */
interface Reading {
  readonly socket: Socket;
  readonly intake: Intake;
  readonly exchange: Connection['exchange'];
  readonly work: SelectWork;
  readonly inbox: Inbox;
  readonly settle: (failure?: unknown) => void;
  stage: Stage;
  statement: number;
  /** Definitions that still come, with the end mark behind them. */
  expected: number;
  readonly definitions: ColumnDefinition[];
  batches: Batches<Decoder> | undefined;
  settled: boolean;
  /** Both batches are full; the intake is paused. */
  waiting: boolean;
  /** Length of a row of several packets that is put together in the inbox, while it waits for a batch. */
  held: number | undefined;
  /** Rows of the batches before the current one. */
  rowsBefore: number;
}

function startReading(connection: Connection, work: SelectWork, flow: Pick<Reading, 'intake' | 'settle'>): Reading {
  return {
    ...flow,
    socket: connection.socket(),
    exchange: connection.exchange,
    work,
    inbox: createInbox(),
    stage: 'prepared',
    statement: 0,
    expected: 0,
    definitions: [],
    batches: undefined,
    settled: false,
    waiting: false,
    held: undefined,
    rowsBefore: 0,
  };
}

function resume(reading: Reading): void {
  if (!reading.waiting || reading.settled) return;
  reading.waiting = false;
  advance(reading);
  if (!reading.waiting && !reading.settled) reading.intake.resume();
}

/** Goes on until the bytes run out or both batches are full. */
function advance(reading: Reading): void {
  try {
    while (!reading.settled && (reading.stage === 'rows' ? decodeSome(reading) : readHead(reading)));
  } catch (error) {
    reading.settle(error);
  }
}

/** One packet before the rows; false when it is not complete yet. */
function readHead(reading: Reading): boolean {
  const packet = takePacket(reading.inbox);
  if (!packet) return false;
  if (packet[0] === ANSWER.error) throw serverFailure(reading, packet);
  switch (reading.stage) {
    case 'prepared':
      reading.statement = packet.readUInt32LE(1);
      reading.expected = packet.readUInt16LE(5) + 1;
      reading.stage = 'prepared columns';
      return true;
    case 'prepared columns':
      if (--reading.expected > 0) return true;
      reading.socket.write(executePacket(reading.statement));
      reading.stage = 'answer';
      return true;
    case 'answer':
      reading.expected = readLength(packet, 0).value + 1;
      if (reading.expected !== reading.work.columns.length + 1) throw unexpectedFailure();
      reading.stage = 'columns';
      return true;
    default:
      if (--reading.expected > 0) reading.definitions.push(parseColumnDefinition(packet));
      else startRows(reading);
      return true;
  }
}

function startRows(reading: Reading): void {
  const { columns, options } = reading.work;
  reading.stage = 'rows';
  const wired = columns.map((asked, at): WireColumn => ({
    ...asked,
    definition: reading.definitions[at] ?? { type: 0, unsigned: false },
  }));
  reading.batches = createBatches({
    create: () => createDecoder(wired, { rows: options.batchRows, bytes: options.batchBytes }),
    sink: options.sink,
    onFree: () => resume(reading),
    onFailure: reading.settle,
  });
}

/** One step among the rows; false when more bytes, or a free batch, must come first. */
function decodeSome(reading: Reading): boolean {
  const { inbox } = reading;
  const batches = reading.batches as Batches<Decoder>;
  const decoder = batches.current();
  if (reading.held !== undefined) return decodeHeld(reading, reading.held);
  if (inbox.payload.state !== 'none') return takeLarge(reading);
  inbox.start = decoder.decode(inbox.bytes, inbox.view, { from: inbox.start, end: inbox.end });
  switch (decoder.stop) {
    case STOP.more:
      makeRoom(inbox, decoder.needed);
      return false;
    case STOP.joined:
      return takeLarge(reading);
    case STOP.full:
      return handOver(reading);
    case STOP.refused:
      refuse(reading, decoder.refusedColumn, decoder.refusedAt);
      return true;
    case STOP.other:
      return readEnd(reading);
    default:
      throw unexpectedFailure();
  }
}

function takeLarge(reading: Reading): boolean {
  const { inbox, work } = reading;
  const length = takeJoined(inbox, (from, end) => {
    const limit = LARGEST_ROW / 1024 / 1024;
    const key = describeRow(inbox.view, { from, end }, describable(reading)) ?? rowPlace(reading);
    const values = (): RowExcerpt => excerptFields(inbox.view, { from, end }, describable(reading));
    const reason = `the row takes more than ${limit} MB; at most that can be read`;
    work.options.refuse({ column: work.columns[0]?.column.name ?? '', reason, key, values });
  });
  if (length === undefined) return inbox.payload.state === 'none';
  reading.held = length;
  return true;
}

function decodeHeld(reading: Reading, length: number): boolean {
  const { inbox } = reading;
  const span = { from: inbox.start, end: inbox.start + length };
  const decoder = (reading.batches as Batches<Decoder>).current();
  switch (decoder.decodeJoined(inbox.bytes, inbox.view, span)) {
    case STOP.full:
      return handOver(reading);
    case STOP.refused:
      refuse(reading, decoder.refusedColumn, decoder.refusedAt);
      break;
    case STOP.taken:
      break;
    default:
      throw unexpectedFailure();
  }
  reading.held = undefined;
  inbox.start = span.end;
  return true;
}

function handOver(reading: Reading): boolean {
  const batches = reading.batches as Batches<Decoder>;
  const { rows } = batches.current();
  if (batches.handOver()) {
    reading.rowsBefore += rows;
    return true;
  }
  reading.waiting = true;
  reading.intake.pause();
  return false;
}

function refuse(reading: Reading, column: number, from: number): void {
  const { inbox, work } = reading;
  const { name, type } = work.columns[column]?.column ?? {};
  const reason =
    type?.kind === 'timestamp'
      ? 'the value is no day of the calendar'
      : 'the value does not fit the column of the lake';
  const span = { from, end: inbox.end };
  const key = describeRow(inbox.view, span, describable(reading)) ?? rowPlace(reading);
  const values = (): RowExcerpt => excerptFields(inbox.view, span, describable(reading));
  work.options.refuse({ column: name ?? '', reason, key, values });
}

const rowPlace = ({ rowsBefore, batches }: Reading): string =>
  `row ${rowsBefore + (batches?.current().rows ?? 0) + 1} of the read`;

const describable = ({ work, definitions }: Reading) => ({
  columns: work.columns.map(({ column, wire }, at) => ({
    name: column.name,
    wire,
    ...(definitions[at] as ColumnDefinition),
  })),
  key: work.key,
});

/** The end of the rows, or an error; false when it is not complete yet, or was the last. */
function readEnd(reading: Reading): boolean {
  const packet = takePacket(reading.inbox);
  if (!packet) return false;
  if (packet[0] === ANSWER.error) throw serverFailure(reading, packet);
  if (packet[0] !== ANSWER.end || packet.length > 8) throw unexpectedFailure();
  reading.socket.write(closeStatementPacket(reading.statement));
  (reading.batches as Batches<Decoder>).flush().then(() => reading.settle(), reading.settle);
  return false;
}

/** An error of the server ends the exchange; the connection is idle again. */
function serverFailure({ work, exchange, socket, statement }: Reading, packet: Buffer): Failure {
  if (statement > 0) socket.write(closeStatementPacket(statement));
  exchange.isOpen = false;
  const { errno, message } = parseServerError(packet);
  return translateNumber(errno, message, work.place);
}

function unexpectedFailure(): Failure {
  return new Failure('internal', 'the server sent rows of another shape than was asked for');
}
