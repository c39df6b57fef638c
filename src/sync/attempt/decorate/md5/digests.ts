import { hash } from 'node:crypto';
import { appendAscii, ensureRoom } from '../bytes.ts';
import type { ByteBuffer } from '../bytes.ts';
import { assembleMd5, DIGESTS, ENDS, LANE_BYTES, LANES, MEMORY_PAGES, stepConstants, TEXTS } from './program.ts';

/** What of the standard is used here; the language's own library of types has it only for browsers. */
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { run(end: number): void } };
};

/** The program and views of its memory. */
interface Lanes {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly digests: Uint8Array;
  run(end: number): void;
}

let opened: Lanes | undefined;

/**
 * For one row's key a call into the crypto library costs more than the digest, and digests in JavaScript were an eighth
 * of a load's processor time. Not for security: the row identity of the OLake contract is defined by MD5. Assembling
 * takes some milliseconds, which only processes that digest should spend.
 */
function openLanes(): Lanes {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const words = new Int32Array(memory.buffer);
  words.set(stepConstants);
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(assembleMd5()), { env: { memory } }).exports;
  const digests = new Uint8Array(memory.buffer, DIGESTS, LANES * 32);
  return { bytes: new Uint8Array(memory.buffer), words, digests, run };
}

/**
 * The longest text that a lane has room for, with the nine bytes that close it. A longer one would keep its lane busy
 * while the others wait: for it, a call into the crypto library costs less.
 */
const LANE_TEXT = LANE_BYTES - 9;

/** Writes the text of one row behind `line.length`. */
export type LineWriter = (line: ByteBuffer, row: number) => void;

/**
 * Appends the MD5 of each row's text to `out`, 32 lower-case hex digits each. Texts are written straight into the lanes
 * of the program, of which there is one per process: `write` must not await.
 */
export function appendDigests(out: ByteBuffer, rows: number, write: LineWriter): void {
  const lanes = (opened ??= openLanes());
  const { bytes } = lanes;
  ensureRoom(out, 32 * rows);
  bytes.fill(0, TEXTS);
  const line: ByteBuffer = { bytes, length: 0 };
  let lane = 0;
  let end = 0;
  for (let row = 0; row < rows; row++) {
    const start = TEXTS + lane * LANE_BYTES;
    line.length = start;
    write(line, row);
    const length = line.length - start;
    if (length > LANE_TEXT) {
      // It lies over the lanes behind, or in grown bytes: both are cleaned up before the lanes in front are run.
      const digest = hash('md5', line.bytes.subarray(start, line.length));
      line.bytes = bytes;
      bytes.fill(0, start);
      takeDigests(lanes, out, { count: lane, end });
      appendAscii(out, digest);
      lane = end = 0;
      continue;
    }
    const laneEnd = closeText(lanes, start, length);
    lanes.words[(ENDS >> 2) + lane] = laneEnd;
    if (laneEnd > end) end = laneEnd;
    if (++lane === LANES) {
      takeDigests(lanes, out, { count: lane, end });
      lane = end = 0;
    }
  }
  takeDigests(lanes, out, { count: lane, end });
}

/** Behind the text: one bit, zeros (there already), and its length in bits as the last 64. Answers the bytes of its blocks. */
function closeText({ bytes, words }: Lanes, start: number, length: number): number {
  bytes[start + length] = 0x80;
  const end = (length + 72) & ~63;
  words[(start + end - 8) >> 2] = length << 3;
  return end;
}

interface Filled {
  readonly count: number;
  readonly end: number;
}

function takeDigests({ run, digests }: Lanes, out: ByteBuffer, { count, end }: Filled): void {
  if (count === 0) return;
  run(end);
  out.bytes.set(count === LANES ? digests : digests.subarray(0, 32 * count), out.length);
  out.length += 32 * count;
}
