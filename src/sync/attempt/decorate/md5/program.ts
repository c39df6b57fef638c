import * as wasm from './assembler.ts';
import type { Code, Local, Place } from './assembler.ts';

/**
 * MD5 (RFC 1321) of as many texts at once as there are lanes: four in the lanes of each vector, and two such vectors
 * side by side, as one alone would wait for itself in every step.
 */
const GROUPS = 3;
export const LANES = 4 * GROUPS;

/** Where things lie in the program's memory, in bytes. Texts are kept off round distances, which share a cache line set. */
export const LANE_BYTES = 4096 + 64;
const CONSTANTS = 0;
/** Per lane: the bytes of its blocks, a whole number of 32 bits. */
export const ENDS = CONSTANTS + 64 * 4;
/** Per lane: 32 digits. */
export const DIGESTS = ENDS + LANES * 4;
export const TEXTS = DIGESTS + LANES * 32;
export const MEMORY_PAGES = Math.ceil((TEXTS + LANES * LANE_BYTES) / 65536);

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const WORD_OF = [(i: number) => i, (i: number) => 5 * i + 1, (i: number) => 3 * i + 5, (i: number) => 7 * i] as const;
const START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;

/** Locals: the bytes of the longest text's blocks, the place of the present block, zero; then vectors. */
const END: Local = 0;
const AT: Local = 1;
const ZERO: Local = 2;
const VECTORS: Local = 3;

interface Group {
  readonly index: number;
  readonly state: readonly Local[];
  readonly before: readonly Local[];
  readonly words: readonly Local[];
  readonly scratch: readonly Local[];
}

const GROUP_LOCALS = 4 + 4 + 16 + 4;

const groups: readonly Group[] = Array.from({ length: GROUPS }, (_, index) => {
  let next = VECTORS + index * GROUP_LOCALS;
  const take = (count: number): Local[] => Array.from({ length: count }, () => next++);
  return { index, state: take(4), before: take(4), words: take(16), scratch: take(4) };
});

const inBlock = (lane: number, offset: number): Place => ({ at: AT, offset: TEXTS + lane * LANE_BYTES + offset });
const fixed = (offset: number): Place => ({ at: ZERO, offset });
/** For each group in turn what `make` answers, all in one row: neighbours in it do not wait for each other. */
const forGroups = (make: (group: Group) => Code): Code => groups.map(make);

/** The program: `run(end)`, where `end` is the greatest number in ENDS, writes DIGESTS and clears the texts' blocks. */
export function assembleMd5(): Uint8Array<ArrayBuffer> {
  const block = [
    forGroups(({ state, before }) => state.map((local, i) => wasm.set(before[i]!, wasm.get(local)))),
    forGroups(takeWords),
    Array.from({ length: 64 }, (_, i) => forGroups((group) => step(group, i))),
    forGroups(addBlock),
    wasm.set(AT, wasm.addAddress(wasm.get(AT), wasm.constant(64))),
  ];
  const body = [
    forGroups(({ state }) => state.map((local, i) => wasm.set(local, wasm.splat(wasm.constant(START[i]! | 0))))),
    wasm.repeatWhile(block, wasm.less(wasm.get(AT), wasm.get(END))),
    forGroups(writeDigits),
  ];
  return wasm.assembleModule(body, { pages: MEMORY_PAGES, numbers: 2, vectors: GROUPS * GROUP_LOCALS });
}

/** Constants of the 64 steps, for CONSTANTS. */
export const stepConstants = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));

/** Reads 64 bytes of each lane and clears them; each word of the four lanes becomes one vector. */
function takeWords({ index, words, scratch }: Group): Code {
  const zero = wasm.splat(wasm.constant(0));
  return Array.from({ length: 4 }, (_, quarter) => {
    const places = scratch.map((_local, lane) => inBlock(4 * index + lane, 16 * quarter));
    return [
      places.map((place, lane) => wasm.set(scratch[lane]!, wasm.load(place))),
      turn(scratch, words.slice(4 * quarter, 4 * quarter + 4)),
      places.map((place) => wasm.store(place, zero)),
    ];
  });
}

const wordsOf = (...words: number[]): number[] => words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));

/** Rows become columns: word i of vector k becomes word k of vector i. `from` is overwritten. */
function turn(from: readonly Local[], to: readonly Local[]): Code {
  const [a, b, c, d] = from.map(wasm.get) as [Code, Code, Code, Code];
  const [e, f, g, h] = to.map(wasm.get) as [Code, Code, Code, Code];
  return [
    wasm.set(to[0]!, wasm.shuffle(a, b, wordsOf(0, 4, 1, 5))),
    wasm.set(to[1]!, wasm.shuffle(c, d, wordsOf(0, 4, 1, 5))),
    wasm.set(to[2]!, wasm.shuffle(a, b, wordsOf(2, 6, 3, 7))),
    wasm.set(to[3]!, wasm.shuffle(c, d, wordsOf(2, 6, 3, 7))),
    wasm.set(from[0]!, wasm.shuffle(e, f, wordsOf(0, 1, 4, 5))),
    wasm.set(from[1]!, wasm.shuffle(e, f, wordsOf(2, 3, 6, 7))),
    wasm.set(from[2]!, wasm.shuffle(g, h, wordsOf(0, 1, 4, 5))),
    wasm.set(from[3]!, wasm.shuffle(g, h, wordsOf(2, 3, 6, 7))),
    from.map((local, i) => wasm.set(to[i]!, wasm.get(local))),
  ];
}

/** One of the 64 steps: a = b + turned(a + mix(b, c, d) + constant + word), where the four names move on each time. */
function step({ state, words }: Group, i: number): Code {
  const [a, b, c, d] = state.map((_, name) => wasm.get(state[(name - (i & 3) + 4) & 3]!)) as [Code, Code, Code, Code];
  const round = i >> 4;
  const word = wasm.get(words[WORD_OF[round]!(i) & 15]!);
  const target = state[(4 - (i & 3)) & 3]!;
  const early = wasm.add(a, wasm.add(word, wasm.loadSplat(fixed(CONSTANTS + 4 * i))));
  const mixed = [
    () => wasm.add(early, wasm.xor(d, wasm.and(b, wasm.xor(c, d)))),
    () => wasm.add(wasm.add(early, wasm.andNot(c, d)), wasm.and(b, d)),
    () => wasm.add(early, wasm.xor(b, wasm.xor(c, d))),
    () => wasm.add(early, wasm.xor(c, wasm.or(b, wasm.not(d)))),
  ][round]!();
  const shift = SHIFTS[round]![i & 3]!;
  const sum = wasm.get(target);
  return [
    wasm.set(target, mixed),
    wasm.set(target, wasm.add(b, wasm.or(wasm.shiftLeft(sum, shift), wasm.shiftRight(sum, 32 - shift)))),
  ];
}

/** Adds the mixed block to the state of lanes that have it; lanes that have ended keep theirs. */
function addBlock({ index, state, before, scratch }: Group): Code {
  const [mask] = scratch as [Local];
  return [
    wasm.set(mask, wasm.greater(wasm.load(fixed(ENDS + 16 * index)), wasm.splat(wasm.get(AT)))),
    state.map((local, i) => wasm.set(local, wasm.add(wasm.get(before[i]!), wasm.and(wasm.get(mask), wasm.get(local))))),
  ];
}

/** The state as 32 lower-case digits of each lane. */
function writeDigits({ index, state, words, scratch }: Group): Code {
  const digits = wasm.bytesConstant([...Buffer.from('0123456789abcdef')]);
  const low = wasm.splat(wasm.constant(0x0f0f0f0f));
  const [upper, lower] = scratch as [Local, Local];
  const pairs = (first: number): number[] => Array.from({ length: 16 }, (_, i) => first + (i >> 1) + 16 * (i & 1));
  return [
    turn(state, words.slice(0, 4)),
    words.slice(0, 4).map((row, lane) => {
      const place = DIGESTS + 32 * (4 * index + lane);
      return [
        wasm.set(upper, wasm.lookUp(digits, wasm.and(wasm.shiftRight(wasm.get(row), 4), low))),
        wasm.set(lower, wasm.lookUp(digits, wasm.and(wasm.get(row), low))),
        wasm.store(fixed(place), wasm.shuffle(wasm.get(upper), wasm.get(lower), pairs(0))),
        wasm.store(fixed(place + 16), wasm.shuffle(wasm.get(upper), wasm.get(lower), pairs(8))),
      ];
    }),
  ];
}
