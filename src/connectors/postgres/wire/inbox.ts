/** A longer message is not read: one row of that size would be more than a batch may take. */
export const LARGEST_MESSAGE = 256 * 1024 * 1024;

const USUAL_SIZE = 1024 * 1024;

export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** Bytes that came from the socket and are not decoded yet: [start, end) of `bytes`. */
export interface Inbox {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly end: number;
  start: number;
  put(chunk: Uint8Array): void;
  /** Moves the rest to the front, so that a message of `needed` bytes fits; gives back what one large message took. */
  makeRoom(needed: number): void;
  /** Drops the message of `length` bytes that begins at `start`, also the part that is still to come. */
  skip(length: number): void;
}

export function createInbox(): Inbox {
  let bytes = Buffer.allocUnsafeSlow(USUAL_SIZE);
  let view = viewOf(bytes);
  let start = 0;
  let end = 0;
  let toSkip = 0;

  const replace = (size: number): void => {
    const next = Buffer.allocUnsafeSlow(size);
    bytes.copy(next, 0, start, end);
    bytes = next;
    view = viewOf(next);
  };
  const makeRoom = (needed: number): void => {
    const rest = end - start;
    const wanted = Math.max(USUAL_SIZE, needed + 65536);
    if (wanted > bytes.length || (bytes.length > USUAL_SIZE && rest < USUAL_SIZE / 2 && needed < USUAL_SIZE / 2)) {
      replace(wanted);
    } else if (start > 0) {
      bytes.copyWithin(0, start, end);
    }
    start = 0;
    end = rest;
  };
  return {
    get bytes() {
      return bytes;
    },
    get view() {
      return view;
    },
    get end() {
      return end;
    },
    get start() {
      return start;
    },
    set start(value: number) {
      start = value;
    },
    makeRoom,
    put(chunk) {
      const rest = toSkip > 0 ? chunk.subarray(Math.min(toSkip, chunk.length)) : chunk;
      toSkip -= chunk.length - rest.length;
      if (end + rest.length > bytes.length) makeRoom(end - start + rest.length);
      bytes.set(rest, end);
      end += rest.length;
    },
    skip(length) {
      const present = Math.min(length, end - start);
      start += present;
      toSkip = length - present;
    },
  };
}

/** Takes the message at `start` when it is complete; undefined, and room for it, otherwise. */
export function takeMessage(inbox: Inbox): Message | undefined {
  const { bytes, view, start, end } = inbox;
  if (end - start < 5) return undefined;
  const length = view.getUint32(start + 1) + 1;
  if (end - start < length) {
    inbox.makeRoom(length);
    return undefined;
  }
  inbox.start = start + length;
  return { type: String.fromCharCode(bytes[start] ?? 0), body: Buffer.from(bytes.subarray(start + 5, start + length)) };
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
