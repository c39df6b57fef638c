import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';

/** A message of kind `type`, sent by (sub)transaction `xid`: the bytes [from, to). */
export interface StoredMessage {
  type: number;
  xid: number;
  bytes: Buffer;
  from: number;
  to: number;
}

/** Messages of one transaction that waits for its commit, in order. */
export interface MessageStore {
  readonly bytes: number;
  append(message: StoredMessage): void;
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
  // Most transactions are small: their memory goes round.
  const free = new Map<number, Buffer[]>([
    [FIRST_PIECE, []],
    [PIECE, []],
  ]);
  const shared = {
    world,
    budget,
    held: 0,
    spilled: 0,
    take: (size: number): Buffer => free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size),
    giveBack(piece: Buffer): void {
      const kept = free.get(piece.length);
      if (kept && kept.length < KEPT_PIECES) kept.push(piece);
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

interface StoreState {
  readonly shared: Shared;
  pieces: Piece[];
  /** Lengths of the pieces in the file, which come before those in memory. */
  readonly filed: number[];
  file: number | undefined;
}

function createStore(shared: Shared, onDrop: () => void): MessageStore {
  const state: StoreState = { shared, pieces: [], filed: [], file: undefined };
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    append({ type, xid, bytes: message, from, to }) {
      const length = to - from;
      const piece = roomFor(state, ENTRY_HEAD + length);
      const { buffer } = piece;
      const at = piece.used;
      buffer.writeUInt32LE(length, at);
      buffer.writeUInt32LE(xid, at + 4);
      buffer[at + 8] = type;
      message.copy(buffer, at + ENTRY_HEAD, from, to);
      piece.used = at + ENTRY_HEAD + length;
      bytes += length;
    },
    pieces: () => piecesOf(state),
    drop() {
      release(state);
      if (state.file !== undefined) closeSync(state.file);
      state.file = undefined;
      onDrop();
    },
  };
}

/** The last piece, with room for `size` more bytes. */
function roomFor(state: StoreState, size: number): Piece {
  const { shared, pieces } = state;
  const last = pieces.at(-1);
  if (last && last.used + size <= last.buffer.length) return last;
  if (last && last.used + size <= PIECE) {
    const grown = shared.take(PIECE);
    last.buffer.copy(grown, 0, 0, last.used);
    shared.held += grown.length - last.buffer.length;
    shared.giveBack(last.buffer);
    last.buffer = grown;
    return last;
  }
  if (shared.held > shared.budget) write(state);
  const piece = { buffer: shared.take(Math.max(size, last ? PIECE : FIRST_PIECE)), used: 0 };
  shared.held += piece.buffer.length;
  state.pieces.push(piece);
  return piece;
}

function write(state: StoreState): void {
  state.file ??= openNameless(state.shared.world);
  for (const { buffer, used } of state.pieces) {
    writeAll(state.file, buffer, used);
    state.filed.push(used);
    state.shared.spilled += used;
  }
  release(state);
}

function release(state: StoreState): void {
  for (const { buffer } of state.pieces) {
    state.shared.held -= buffer.length;
    state.shared.giveBack(buffer);
  }
  state.pieces = [];
}

function* piecesOf({ file, filed, pieces }: StoreState): Iterable<Buffer> {
  let place = 0;
  for (const length of filed) {
    yield readAll(file ?? -1, place, length);
    place += length;
  }
  for (const { buffer, used } of pieces) yield buffer.subarray(0, used);
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
