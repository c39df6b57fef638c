import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';

/** Messages of one transaction that waits for its commit, in order. */
export interface MessageStore {
  readonly bytes: number;
  /** Adds the message of kind `type` with these bytes, sent by (sub)transaction `xid`. */
  append(head: { type: number; xid: number }, message: { bytes: Buffer; from: number; to: number }): void;
  /** Whole entries in pieces: length, xid, type, bytes. Each piece is valid until the next is taken. */
  pieces(): Iterable<Buffer>;
  /** Gives back memory and file. */
  drop(): void;
}

/** Bytes before a message in a piece: its length, its transaction, its kind. */
export const ENTRY_HEAD = 9;

/** Hands out stores that share one budget of memory; what does not fit goes to temporary files. */
export interface Spill {
  store(): MessageStore;
  /** Bytes that went to files so far. */
  readonly spilled: number;
  drop(): void;
}

const PIECE = 512 * 1024;
const FIRST_PIECE = 8 * 1024;
const KEPT_PIECES = 4;

/**
 * `budget` = bytes that all waiting transactions may take in memory. A file has no name from the moment it is open, so it
 * vanishes with this process however that ends.
 */
export function createSpill(world: World, budget: number): Spill {
  const open = new Set<MessageStore>();
  const free: Buffer[] = [];
  const shared = {
    world,
    budget,
    held: 0,
    spilled: 0,
    take: (size: number): Buffer => {
      const kept = size <= PIECE ? free.pop() : undefined;
      return kept ?? Buffer.allocUnsafeSlow(size);
    },
    giveBack: (piece: Buffer): void => {
      if (piece.length === PIECE && free.length < KEPT_PIECES) free.push(piece);
    },
  };
  return {
    get spilled() {
      return shared.spilled;
    },
    store() {
      const store = createStore(shared, () => open.delete(store));
      open.add(store);
      return store;
    },
    drop() {
      for (const store of open) store.drop();
    },
  };
}

interface Shared {
  readonly world: World;
  readonly budget: number;
  held: number;
  spilled: number;
  take(size: number): Buffer;
  giveBack(piece: Buffer): void;
}

interface Piece {
  buffer: Buffer;
  used: number;
}

function createStore(shared: Shared, onDrop: () => void): MessageStore {
  let pieces: Piece[] = [];
  const filed: number[] = [];
  let file: number | undefined;
  let bytes = 0;

  const write = (): void => {
    file ??= openNameless(shared.world);
    for (const { buffer, used } of pieces) {
      writeAll(file, buffer, used);
      filed.push(used);
      shared.spilled += used;
      shared.held -= buffer.length;
      shared.giveBack(buffer);
    }
    pieces = [];
  };
  /** The last piece, with room for `size` more bytes. */
  const roomFor = (size: number): Piece => {
    const last = pieces.at(-1);
    if (last && last.used + size <= last.buffer.length) return last;
    if (last && last.used + size <= PIECE) {
      const grown = shared.take(PIECE);
      last.buffer.copy(grown, 0, 0, last.used);
      shared.held += grown.length - last.buffer.length;
      last.buffer = grown;
      return last;
    }
    if (shared.held > shared.budget) write();
    const buffer = shared.take(Math.max(size, last ? PIECE : FIRST_PIECE));
    const piece = { buffer, used: 0 };
    shared.held += buffer.length;
    pieces.push(piece);
    return piece;
  };
  return {
    get bytes() {
      return bytes;
    },
    append({ type, xid }, message) {
      const length = message.to - message.from;
      const piece = roomFor(ENTRY_HEAD + length);
      const { buffer } = piece;
      const at = piece.used;
      buffer.writeUInt32LE(length, at);
      buffer.writeUInt32LE(xid, at + 4);
      buffer[at + 8] = type;
      message.bytes.copy(buffer, at + ENTRY_HEAD, message.from, message.to);
      piece.used = at + ENTRY_HEAD + length;
      bytes += length;
    },
    *pieces() {
      let place = 0;
      for (const length of filed) {
        yield readAll(file ?? -1, place, length);
        place += length;
      }
      for (const { buffer, used } of pieces) yield buffer.subarray(0, used);
    },
    drop() {
      for (const { buffer } of pieces) {
        shared.held -= buffer.length;
        shared.giveBack(buffer);
      }
      pieces = [];
      if (file !== undefined) closeSync(file);
      file = undefined;
      onDrop();
    },
  };
}

function openNameless(world: World): number {
  const path = join(tmpdir(), `penstock-changes-${world.random(12).toString('hex')}`);
  return onDisk(() => {
    const file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return file;
  });
}

function writeAll(file: number, buffer: Buffer, length: number): void {
  onDisk(() => {
    for (let at = 0; at < length;) at += writeSync(file, buffer, at, length - at);
  });
}

function readAll(file: number, place: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(length);
  onDisk(() => {
    for (let at = 0; at < length;) {
      const read = readSync(file, buffer, at, length - at, place + at);
      if (read === 0) throw new Error('the file ends early');
      at += read;
    }
  });
  return buffer;
}

function onDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure('storage_failed', `a large transaction could not be kept in ${tmpdir()}: ${reason}`, {
      cause: error,
    });
  }
}
