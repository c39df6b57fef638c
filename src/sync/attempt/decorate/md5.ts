import { ensureRoom } from './bytes.ts';
import type { ByteBuffer } from './bytes.ts';

/**
 * MD5 of short byte runs without leaving JavaScript: for one row's key a call into the crypto library costs more than
 * the digest. Not for security; the row identity of the OLake contract is defined by it.
 */
const state = new Int32Array(4);
const HEX_PAIRS = Uint16Array.from({ length: 256 }, (_, byte) => {
  const [high, low] = byte.toString(16).padStart(2, '0');
  return high!.charCodeAt(0) | (low!.charCodeAt(0) << 8);
});
let words: Int32Array = new Int32Array(0);

/** Appends the 32 lower-case hex digits of the MD5 of `text` to `out`. Overwrites what lies behind `text.length`. */
export function appendMd5(text: ByteBuffer, out: ByteBuffer): void {
  const length = text.length;
  const blocks = (length + 72) >> 6;
  ensureRoom(text, (blocks << 6) - length);
  if (words.buffer !== text.bytes.buffer) words = new Int32Array(text.bytes.buffer, 0, text.bytes.length >> 2);
  closeLastBlock(text.bytes, length, blocks);
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  for (let block = 0; block < blocks; block++) mixBlock(state, words, block << 4);
  ensureRoom(out, 32);
  const { bytes } = out;
  let at = out.length;
  for (let word = 0; word < 4; word++) {
    let rest = state[word]!;
    for (let byte = 0; byte < 4; byte++, rest >>>= 8) {
      const pair = HEX_PAIRS[rest & 255]!;
      bytes[at++] = pair;
      bytes[at++] = pair >>> 8;
    }
  }
  out.length = at;
}

/** Behind the text: one bit, zeros, and its length in bits as the last 64. */
function closeLastBlock(bytes: Uint8Array, length: number, blocks: number): void {
  let at = length;
  bytes[at++] = 0x80;
  while ((at & 3) !== 0) bytes[at++] = 0;
  const end = blocks << 4;
  for (let word = at >> 2; word < end; word++) words[word] = 0;
  words[end - 2] = length << 3;
  words[end - 1] = length >>> 29;
}

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const MIXES = ['d^b&(c^d)', 'c^d&(b^c)', 'b^c^d', 'c^(b|~d)'] as const;
const WORD_OF = [(i: number) => i, (i: number) => 5 * i + 1, (i: number) => 3 * i + 5, (i: number) => 7 * i] as const;

/** Mixes the 16 words from `at` into the state: 64 steps, written out, which is twice as fast as a loop. */
const mixBlock = compileMix();

function compileMix(): (state: Int32Array, words: Int32Array, at: number) => void {
  const names = ['a', 'b', 'c', 'd'];
  const steps = Array.from({ length: 64 }, (_, i) => {
    const round = i >> 4;
    const turned = names.map((_name, index) => names[(index - (i & 3) + 4) & 3]!);
    const [a, b] = turned;
    const mix = MIXES[round]!.replace(/[b-d]/g, (name) => turned[names.indexOf(name)]!);
    const constant = Math.floor(Math.abs(Math.sin(i + 1)) * 4294967296) | 0;
    const shift = SHIFTS[round]![i & 3]!;
    return `t=${a}+(${mix})+(${constant})+w[at+${WORD_OF[round]!(i) & 15}]|0;${a}=${b}+(t<<${shift}|t>>>${32 - shift})|0;`;
  });
  const source = `let a=s[0],b=s[1],c=s[2],d=s[3],t=0;
${steps.join('\n')}
s[0]=s[0]+a|0;s[1]=s[1]+b|0;s[2]=s[2]+c|0;s[3]=s[3]+d|0;`;
  // oxlint-disable-next-line typescript/no-implied-eval
  return new Function('s', 'w', 'at', source) as ReturnType<typeof compileMix>;
}
