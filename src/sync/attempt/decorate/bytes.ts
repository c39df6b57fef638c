/** Growing bytes that texts are written into; cleared by setting `length`. The buffer is aligned for word access. */
export interface ByteBuffer {
  bytes: Uint8Array;
  length: number;
}

export function createByteBuffer(capacity = 1024): ByteBuffer {
  return { bytes: new Uint8Array(capacity), length: 0 };
}

/** Room for `more` bytes behind `length`. */
export function ensureRoom(out: ByteBuffer, more: number): void {
  const needed = out.length + more;
  if (needed <= out.bytes.length) return;
  const bytes = new Uint8Array(Math.max(needed, out.bytes.length * 2));
  bytes.set(out.bytes.subarray(0, out.length));
  out.bytes = bytes;
}

/** ASCII text only. */
export function appendAscii(out: ByteBuffer, text: string): void {
  ensureRoom(out, text.length);
  for (let i = 0; i < text.length; i++) out.bytes[out.length + i] = text.charCodeAt(i);
  out.length += text.length;
}

export function appendByte(out: ByteBuffer, byte: number): void {
  if (out.length === out.bytes.length) ensureRoom(out, 1);
  out.bytes[out.length++] = byte;
}

/** Digits of a whole number with |n| < 2^53. */
export function appendInteger(out: ByteBuffer, value: number): void {
  ensureRoom(out, 20);
  const { bytes } = out;
  let rest = value;
  if (rest < 0) {
    bytes[out.length++] = 45;
    rest = -rest;
  }
  if (rest >= 1e9) {
    const head = Math.floor(rest / 1e9);
    appendInteger(out, head);
    appendPadded(out, rest - head * 1e9, 9);
    return;
  }
  writeDigits(out, rest, digitsOf(rest));
}

function digitsOf(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4;
  if (value < 1e8) return value < 1e6 ? (value < 1e5 ? 5 : 6) : value < 1e7 ? 7 : 8;
  return 9;
}

/** Exactly `digits` digits of a number from 0 to 999 999 999, zeros in front. */
export function appendPadded(out: ByteBuffer, value: number, digits: number): void {
  ensureRoom(out, digits);
  writeDigits(out, value, digits);
}

/** The two digits of numbers below 100, the first one in the low byte. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, value) => (48 + ((value / 10) | 0)) | ((48 + (value % 10)) << 8));

function writeDigits(out: ByteBuffer, value: number, digits: number): void {
  const { bytes } = out;
  const start = out.length;
  let rest = value | 0;
  let at = (out.length = start + digits);
  while (at - start >= 2) {
    const hundredth = (rest / 100) | 0;
    const pair = PAIRS[rest - hundredth * 100]!;
    bytes[--at] = pair >> 8;
    bytes[--at] = pair;
    rest = hundredth;
  }
  if (at > start) bytes[--at] = 48 + rest;
}
