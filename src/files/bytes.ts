import { isUtf8 } from 'node:buffer';
import { Failure } from '../errors.ts';

/** The longest record of a text file that is read; longer ones would not fit into memory beside others. */
export const LONGEST_RECORD = 64 * 1024 * 1024;

/** Bytes of a file, in pieces of any size. */
export type Bytes = AsyncIterable<Uint8Array>;

/** Passes the pieces on while they are UTF-8. Throws `value_refused` that names the first byte which is not. */
export async function* demandUtf8(bytes: Bytes, location: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const piece of bytes) {
    const joined = rest.length === 0 ? asBuffer(piece) : Buffer.concat([rest, piece]);
    if (offset === 0) refuseOtherEncodings(joined, location);
    const whole = joined.subarray(0, joined.length - openTail(joined));
    if (!isUtf8(whole)) throw notUtf8(location, offset + firstWrong(whole));
    rest = joined.subarray(whole.length);
    offset += whole.length;
    if (whole.length > 0) yield whole;
  }
  if (rest.length > 0) throw notUtf8(location, offset);
}

export function asBuffer(piece: Uint8Array): Buffer {
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** How many bytes at the end begin a character that goes on in the next piece. */
function openTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/** Only after a failure: halves the piece until the byte is found. */
function firstWrong(bytes: Buffer): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const head = bytes.subarray(0, middle);
    if (isUtf8(head.subarray(0, middle - openTail(head)))) good = middle;
    else bad = middle;
  }
  return good - openTail(bytes.subarray(0, good));
}

function notUtf8(location: string, at: number): Failure {
  return new Failure('value_refused', `${location} is not UTF-8: byte ${at} begins no character`, {
    advice: 'Save the file as UTF-8.',
  });
}

function refuseOtherEncodings(start: Buffer, location: string): void {
  const mark = start.length >= 2 ? start.readUInt16BE(0) : 0;
  if (mark !== 0xfffe && mark !== 0xfeff) return;
  throw new Failure('value_refused', `${location} is UTF-16, which is not read`, { advice: 'Save the file as UTF-8.' });
}
