import { ensureRoom } from './bytes.ts';
import type { ByteBuffer } from './bytes.ts';

/**
 * MD5 of short byte runs without leaving JavaScript: for one row's key a call into the crypto library costs more than
 * the digest. Not for security; the row identity of the OLake contract is defined by it.
 */
const TABLE = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 4294967296) | 0);
const SHIFTS = Int32Array.from([7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]);
const ROUND_SHIFT = Int32Array.from({ length: 64 }, (_, i) => SHIFTS[(i >> 4) * 4 + (i & 3)]!);
const WORD = Int32Array.from({ length: 64 }, (_, i) => [i, 5 * i + 1, 3 * i + 5, 7 * i][i >> 4]! & 15);
const HEX = Uint8Array.from('0123456789abcdef', (letter) => letter.charCodeAt(0));
const state = new Int32Array(4);

/** Appends the 32 lower-case hex digits of the MD5 of `text` to `out`. Overwrites what lies behind `text.length`. */
export function appendMd5(text: ByteBuffer, out: ByteBuffer): void {
  const length = text.length;
  const padded = ((length + 72) >> 6) << 6;
  ensureRoom(text, padded - length);
  text.bytes.fill(0, length, padded);
  text.bytes[length] = 0x80;
  const words = new Int32Array(text.bytes.buffer, 0, padded >> 2);
  words[(padded >> 2) - 2] = length << 3;
  words[(padded >> 2) - 1] = length >>> 29;
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  for (let block = 0; block < words.length; block += 16) mixBlock(words, block);
  ensureRoom(out, 32);
  const { bytes } = out;
  let at = out.length;
  for (let i = 0; i < 16; i++) {
    const byte = (state[i >> 2]! >>> ((i & 3) << 3)) & 255;
    bytes[at++] = HEX[byte >> 4]!;
    bytes[at++] = HEX[byte & 15]!;
  }
  out.length = at;
}

function mixBlock(words: Int32Array, block: number): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    let f: number;
    if (i < 16) f = d ^ (b & (c ^ d));
    else if (i < 32) f = c ^ (d & (b ^ c));
    else if (i < 48) f = b ^ c ^ d;
    else f = c ^ (b | ~d);
    const sum = (a + f + TABLE[i]! + words[block + WORD[i]!]!) | 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << ROUND_SHIFT[i]!) | (sum >>> (32 - ROUND_SHIFT[i]!)))) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}
