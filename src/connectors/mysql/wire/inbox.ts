/** A longer row is not read: one row of that size would be more than a batch may take. */
export const LARGEST_ROW = 256 * 1024 * 1024;
/** A packet of this length is continued by the next one. */
export const FULL_PACKET = 0xff_ff_ff;

const USUAL_SIZE = 1024 * 1024;
const HEAD = 4;

/** Bytes that came from the socket and are not decoded yet: [start, end) of `bytes`, a row of packets. */
export interface Inbox {
  bytes: Buffer;
  view: DataView;
  start: number;
  end: number;
  /** What is done with a payload of several packets that begins at `start`. */
  readonly payload: {
    state: 'none' | 'joining' | 'dropping';
    /** While joining: the heads up to here are cut out already. */
    joined: number;
    /** While dropping: bytes of the present packet that still come, and whether it is the last one. */
    toDrop: number;
    isLast: boolean;
  };
  readonly largest: number;
}

export function createInbox(largest = LARGEST_ROW): Inbox {
  const bytes = Buffer.allocUnsafeSlow(USUAL_SIZE);
  return {
    bytes,
    view: viewOf(bytes),
    start: 0,
    end: 0,
    payload: { state: 'none', joined: 0, toDrop: 0, isLast: false },
    largest,
  };
}

export function putBytes(inbox: Inbox, chunk: Uint8Array): void {
  if (inbox.end + chunk.length > inbox.bytes.length) makeRoom(inbox, inbox.end - inbox.start + chunk.length);
  inbox.bytes.set(chunk, inbox.end);
  inbox.end += chunk.length;
}

/** Moves the rest to the front, so that `needed` bytes fit; gives back what one large packet took. */
export function makeRoom(inbox: Inbox, needed: number): void {
  const { bytes, start, end, payload } = inbox;
  const rest = end - start;
  const wanted = Math.max(USUAL_SIZE, needed + 65_536);
  if (wanted > bytes.length || (bytes.length > USUAL_SIZE && rest < USUAL_SIZE / 2 && needed < USUAL_SIZE / 2)) {
    // One large row must not make a copy for each packet that it has.
    const isGrowing = wanted > bytes.length && payload.state === 'joining';
    const next = Buffer.allocUnsafeSlow(isGrowing ? Math.max(wanted, bytes.length * 2) : wanted);
    bytes.copy(next, 0, start, end);
    inbox.bytes = next;
    inbox.view = viewOf(next);
  } else if (start > 0) {
    bytes.copyWithin(0, start, end);
  }
  payload.joined -= start;
  inbox.start = 0;
  inbox.end = rest;
}

/** Takes the payload of the packet at `start` when it is complete, as a copy; undefined, and room for it, otherwise. */
export function takePacket(inbox: Inbox): Buffer | undefined {
  const { bytes, start, end } = inbox;
  if (end - start < HEAD) return undefined;
  const length = bytes.readUIntLE(start, 3);
  if (end - start < HEAD + length) {
    makeRoom(inbox, HEAD + length);
    return undefined;
  }
  inbox.start = start + HEAD + length;
  return Buffer.from(bytes.subarray(start + HEAD, start + HEAD + length));
}

/**
 * The length of the payload of the packets at `start` that continue each other, put together in place: it begins at
 * `start`, and the caller moves `start` behind it. Undefined, and room for more, while some of it is missing; undefined
 * as well for one that is longer than the inbox takes: `tooLong` is then called once, with its first bytes in
 * [from, end), and it is dropped as it comes. To be called again until `payload.state` is `none`.
 */
export function takeJoined(inbox: Inbox, tooLong: (from: number, end: number) => void): number | undefined {
  const { payload } = inbox;
  if (payload.state === 'dropping') {
    drop(inbox);
    return undefined;
  }
  if (payload.state === 'none') {
    payload.state = 'joining';
    payload.joined = inbox.start;
  }
  while (inbox.end - payload.joined >= HEAD) {
    const { bytes, start, end } = inbox;
    const { joined } = payload;
    const length = bytes.readUIntLE(joined, 3);
    if (joined - start + length > inbox.largest) {
      tooLong(joined === start ? start + HEAD : start, joined === start ? end : joined);
      payload.state = 'dropping';
      payload.toDrop = 0;
      payload.isLast = false;
      inbox.start = joined;
      drop(inbox);
      return undefined;
    }
    if (end - joined < HEAD + length) break;
    bytes.copyWithin(joined, joined + HEAD, end);
    inbox.end -= HEAD;
    payload.joined += length;
    if (length < FULL_PACKET) {
      payload.state = 'none';
      return payload.joined - start;
    }
  }
  makeRoom(inbox, payload.joined - inbox.start + HEAD + FULL_PACKET);
  return undefined;
}

/** Drops what is present of a payload that is too long, packet by packet, up to the end of its last. */
function drop(inbox: Inbox): void {
  const { payload } = inbox;
  for (;;) {
    const present = Math.min(payload.toDrop, inbox.end - inbox.start);
    inbox.start += present;
    payload.toDrop -= present;
    if (payload.toDrop > 0) return;
    if (payload.isLast) {
      payload.state = 'none';
      return;
    }
    if (inbox.end - inbox.start < HEAD) return;
    payload.toDrop = inbox.bytes.readUIntLE(inbox.start, 3);
    payload.isLast = payload.toDrop < FULL_PACKET;
    inbox.start += HEAD;
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
