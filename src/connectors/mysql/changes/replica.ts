import { Failure } from '../../../errors.ts';
import { takeBytes } from '../../kit/index.ts';
import type { Connection } from '../connect.ts';
import { cancelledFailure, lostFailure, type Place } from '../failures.ts';
import { encodeGtids, printGtids, type Gtids } from './gtids.ts';
import {
  createInbox,
  FULL_PACKET,
  LARGEST_ROW,
  makeRoom,
  putBytes,
  takeJoined,
  takePacket,
  type Inbox,
} from '../wire/inbox.ts';
import { ANSWER, COMMAND, commandPacket, parseServerError } from '../wire/packets.ts';
import { printPosition, type ServerPlace } from './position.ts';

/** A frame of the dump: one event with head and checksum in [from, end) of the bytes. Valid until the next is asked for. */
export interface Frame {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly from: number;
  readonly end: number;
}

/** The stream of events from a server that takes us for a replica. */
export interface Dump {
  /** True when the events have checksums from the beginning. */
  readonly checksums: boolean;
  /** The next event that is here already; undefined when more bytes must come. */
  next(): Frame | undefined;
  /** Waits until bytes come, at most so long. Throws when the connection is lost or the read cancelled. */
  wait(limit: number): Promise<void>;
  close(): void;
}

export interface DumpWork {
  readonly connection: Connection;
  readonly from: ServerPlace;
  /** Reads behind these transactions instead of behind a place: `from` is one of another server. */
  readonly behind?: Gtids;
  readonly serverId: number;
  readonly place: Place;
  readonly signal: AbortSignal;
}

const HEARTBEAT_SECONDS = 5;
/** Without a heartbeat for so long, nobody is there any more. */
const LONGEST_SILENCE = 60_000;
/** Positions on the wire have 32 bits. */
const LARGEST_OFFSET = 0xffff_ffff;
const FILE_START = 4;

/** Registers as a replica and starts the dump. The connection is of no other use afterwards. */
export async function startDump(work: DumpWork): Promise<Dump> {
  const { connection, from, serverId, place, signal } = work;
  const { query, server } = connection;
  await query('set @master_binlog_checksum = @@global.binlog_checksum');
  await query(`set @master_heartbeat_period = ${HEARTBEAT_SECONDS * 1e9}`);
  if (server.flavor === 'mariadb') {
    await query('set @mariadb_slave_capability = 4');
  } else {
    await query('set @source_binlog_checksum = @@global.binlog_checksum');
    await query(`set @source_heartbeat_period = ${HEARTBEAT_SECONDS * 1e9}`);
    await query('set @slave_uuid = uuid()');
    await query('set @replica_uuid = @slave_uuid');
  }
  const checksums = (await query('select @master_binlog_checksum'))[0]?.[0] === 'CRC32';
  if (server.flavor === 'mariadb' && work.behind) {
    await query(`set @slave_connect_state = '${printGtids(work.behind)}'`);
    // Otherwise the server goes on with later ones where it lacks those that we name.
    await query('set @slave_gtid_strict_mode = 1');
    await query('set @slave_gtid_ignore_duplicates = 0');
  }
  const stream = openStream(connection, { place, signal });
  await register(stream, { serverId, place });
  stream.write(dumpPacket(work));
  return { checksums, next: () => nextFrame(stream.inbox, from), wait: stream.wait, close: stream.close };
}

const THROUGH_GTID = 4;

/** By place: offset (4 bytes), flags (2), number of ours (4), file. By GTID, MySQL: flags, number, file, offset (8), set. */
export function dumpPacket({
  connection,
  behind,
  from,
  serverId,
}: Pick<DumpWork, 'connection' | 'behind' | 'from' | 'serverId'>): Buffer {
  if (behind && connection.server.flavor === 'mysql') {
    const set = encodeGtids(behind);
    const head = Buffer.alloc(22);
    head.writeUInt16LE(THROUGH_GTID, 0);
    head.writeUInt32LE(serverId, 2);
    // No name of a file, hence the place is where a file begins.
    head.writeBigUInt64LE(BigInt(FILE_START), 10);
    head.writeUInt32LE(set.length, 18);
    return commandPacket(COMMAND.binlogDumpGtid, Buffer.concat([head, set]));
  }
  // From a place that cannot be named, the file is read from its start; the reader knows what it knows.
  const offset = behind || from.offset > LARGEST_OFFSET ? FILE_START : Math.max(FILE_START, from.offset);
  const head = Buffer.alloc(10);
  head.writeUInt32LE(offset, 0);
  head.writeUInt32LE(serverId, 6);
  return commandPacket(COMMAND.binlogDump, Buffer.concat([head, Buffer.from(behind ? '' : from.file)]));
}

/** Asks for the right to be a replica without becoming one for longer than the connection lives. */
export async function tryRegister(work: Omit<DumpWork, 'from'>): Promise<void> {
  const stream = openStream(work.connection, work);
  try {
    await register(stream, work);
  } finally {
    stream.close();
  }
}

interface ByteStream {
  readonly inbox: Inbox;
  write(packet: Buffer): void;
  wait(limit: number): Promise<void>;
  close(): void;
}

/** Takes the socket over from the driver. Bytes reach the inbox only while somebody waits, so frames stay where they are. */
function openStream(connection: Connection, { place, signal }: { place: Place; signal: AbortSignal }): ByteStream {
  const socket = connection.socket();
  const inbox = createInbox();
  /** What came while nobody waited. */
  const early: Buffer[] = [];
  let hasArrived = false;
  let silence = 0;
  let wake: (() => void) | undefined;
  const intake = takeBytes(socket, (bytes) => {
    hasArrived = true;
    if (wake) {
      putBytes(inbox, bytes);
      wake();
    } else {
      early.push(Buffer.from(bytes));
      intake.pause();
    }
  });
  const stir = (): void => wake?.();
  socket.once('close', stir);
  signal.addEventListener('abort', stir);
  return {
    inbox,
    write: (packet) => void socket.write(packet),
    async wait(limit) {
      if (!hasArrived && !signal.aborted && !socket.destroyed) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, limit);
        });
        wake = undefined;
        clearTimeout(timer);
      }
      if (signal.aborted) throw cancelledFailure();
      silence = hasArrived ? 0 : silence + limit;
      if (!hasArrived && socket.destroyed) throw connection.broken() ?? lostFailure(place);
      if (silence > LONGEST_SILENCE)
        throw new Failure('connection_lost', 'the server has not sent anything for a minute');
      hasArrived = false;
      if (early.length === 0) return;
      for (const bytes of early.splice(0)) putBytes(inbox, bytes);
      intake.resume();
    },
    close() {
      signal.removeEventListener('abort', stir);
      socket.off('close', stir);
      connection.abandon();
    },
  };
}

const LONGEST_WAIT = 30_000;

async function register(stream: ByteStream, { serverId, place }: { serverId: number; place: Place }): Promise<void> {
  const body = Buffer.alloc(17);
  body.writeUInt32LE(serverId, 0);
  // Host, user and password are empty, and so are port, rank and the number of the source.
  stream.write(commandPacket(COMMAND.registerReplica, body));
  let packet = takePacket(stream.inbox);
  while (!packet) {
    await stream.wait(LONGEST_WAIT);
    packet = takePacket(stream.inbox);
  }
  if (packet[0] !== ANSWER.error) return;
  const { message } = parseServerError(packet);
  throw new Failure(
    'permission_missing',
    `"${place.username}" may not read the binary log: grant REPLICATION SLAVE on *.* to it (${message})`,
  );
}

const HEAD = 4;

function nextFrame(inbox: Inbox, from: ServerPlace): Frame | undefined {
  const { start, end, bytes, view } = inbox;
  if (inbox.payload.state !== 'none') return joinedFrame(inbox);
  if (end - start < HEAD + 1) {
    makeRoom(inbox, HEAD + 1);
    return undefined;
  }
  const length = bytes.readUIntLE(start, 3);
  if (length === FULL_PACKET) return joinedFrame(inbox);
  if (end - start < HEAD + length) {
    makeRoom(inbox, HEAD + length);
    return undefined;
  }
  inbox.start = start + HEAD + length;
  const first = bytes[start + HEAD];
  if (first === ANSWER.error) throw refusal(bytes.subarray(start + HEAD, start + HEAD + length), from);
  if (first !== ANSWER.ok) throw new Failure('connection_lost', 'the server ended the stream of its binary log');
  return { bytes, view, from: start + HEAD + 1, end: start + HEAD + length };
}

function joinedFrame(inbox: Inbox): Frame | undefined {
  const length = takeJoined(inbox, () => {
    const limit = LARGEST_ROW / 1024 / 1024;
    throw new Failure('value_refused', `the binary log holds a row of more than ${limit} MB; load its table anew`);
  });
  if (length === undefined) return undefined;
  const from = inbox.start + 1;
  inbox.start += length;
  return { bytes: inbox.bytes, view: inbox.view, from, end: from - 1 + length };
}

function refusal(packet: Buffer, from: ServerPlace): Failure {
  const { message } = parseServerError(packet);
  const position = printPosition(from);
  if (!/gtid/i.test(message) && /could not find|purged|not.*find.*log/i.test(message)) {
    return new Failure('connection_lost', `the binary log is no longer there from ${position} on: ${message}`);
  }
  return new Failure('object_missing', `the server cannot send its binary log from ${position}: ${message}`, {
    advice: 'Clear the destination of the job, so that its tables are loaded anew.',
  });
}
