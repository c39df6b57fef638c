/** A longer row is not read: one row of that size would be more than a batch may take. */
export const LARGEST_ROW = 256 * 1024 * 1024;
/** A packet of this length is continued by the next one. */
export const FULL_PACKET = 0xff_ff_ff;

const USUAL_SIZE = 1024 * 1024;
const HEAD = 4;

/** Bytes that came from the socket and are not decoded yet: [start, end) of `bytes`, a row of packets. */
export interface Inbox {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly end: number;
  start: number;
  put(chunk: Uint8Array): void;
  /** Moves the rest to the front, so that `needed` bytes fit; gives back what one large packet took. */
  makeRoom(needed: number): void;
  /**
   * The length of the payload of the packets at `start` that continue each other, put together in place: it begins at
   * `start`, and the caller moves `start` behind it. Undefined, and room for more, while some of it is missing; undefined
   * as well for one longer than `LARGEST_ROW`: `tooLong` is then called once, with its first bytes in place, and it is
   * dropped as it comes.
   */
  takeJoined(tooLong: (from: number, end: number) => void): number | undefined;
  /** True between the first call of `takeJoined` for a payload and its end. */
  readonly isInPayload: boolean;
}

export function createInbox(): Inbox {
  let bytes = Buffer.allocUnsafeSlow(USUAL_SIZE);
  let view = viewOf(bytes);
  let start = 0;
  let end = 0;
  // Packets at `start` whose heads were cut out already: their payloads are [start, joined).
  let joined = 0;
  let joining = false;
  let dropping = false;
  let toDrop = 0;

  const makeRoom = (needed: number): void => {
    const rest = end - start;
    const wanted = Math.max(USUAL_SIZE, needed + 65_536);
    if (wanted > bytes.length || (bytes.length > USUAL_SIZE && rest < USUAL_SIZE / 2 && needed < USUAL_SIZE / 2)) {
      // One large row must not make a copy for each packet that it has.
      const next = Buffer.allocUnsafeSlow(
        wanted > bytes.length && joining ? Math.max(wanted, bytes.length * 2) : wanted,
      );
      bytes.copy(next, 0, start, end);
      bytes = next;
      view = viewOf(next);
    } else if (start > 0) {
      bytes.copyWithin(0, start, end);
    }
    joined -= start;
    start = 0;
    end = rest;
  };

  /** Drops what is present of a payload that is too long; true once its last packet is gone. */
  const drop = (): boolean => {
    for (;;) {
      const present = Math.min(toDrop, end - start);
      start += present;
      toDrop -= present;
      if (toDrop > 0) return false;
      if (!dropping) return true;
      if (end - start < HEAD) return false;
      const length = bytes.readUIntLE(start, 3);
      start += HEAD;
      toDrop = length;
      if (length < FULL_PACKET) dropping = false;
    }
  };

  const takeJoined: Inbox['takeJoined'] = (tooLong) => {
    if (dropping || toDrop > 0) {
      drop();
      return undefined;
    }
    if (!joining) {
      joining = true;
      joined = start;
    }
    for (;;) {
      if (end - joined < HEAD) break;
      const length = bytes.readUIntLE(joined, 3);
      if (joined - start + length > LARGEST_ROW) {
        tooLong(joined === start ? start + HEAD : start, joined === start ? end : joined);
        joining = false;
        dropping = true;
        start = joined;
        drop();
        return undefined;
      }
      if (end - joined < HEAD + length) break;
      bytes.copyWithin(joined, joined + HEAD, end);
      end -= HEAD;
      joined += length;
      if (length < FULL_PACKET) {
        joining = false;
        return joined - start;
      }
    }
    makeRoom(joined - start + HEAD + FULL_PACKET);
    return undefined;
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
    get isInPayload() {
      return joining || dropping || toDrop > 0;
    },
    makeRoom,
    put(chunk) {
      if (end + chunk.length > bytes.length) makeRoom(end - start + chunk.length);
      bytes.set(chunk, end);
      end += chunk.length;
    },
    takeJoined,
  };
}

/** Takes the payload of the packet at `start` when it is complete, as a copy; undefined, and room for it, otherwise. */
export function takePacket(inbox: Inbox): Buffer | undefined {
  const { bytes, start, end } = inbox;
  if (end - start < HEAD) return undefined;
  const length = bytes.readUIntLE(start, 3);
  if (end - start < HEAD + length) {
    inbox.makeRoom(HEAD + length);
    return undefined;
  }
  inbox.start = start + HEAD + length;
  return Buffer.from(bytes.subarray(start + HEAD, start + HEAD + length));
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
