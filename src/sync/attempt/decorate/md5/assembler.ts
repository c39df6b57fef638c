/** Instructions of WebAssembly, operands before their operator, as far as the MD5 program needs them. Flattened at the end. */
export type Code = readonly (number | Code)[];

/** Numbers of local variables: the function's one parameter, then what `assembleModule` declares. */
export type Local = number;

/** The format's mark and version. */
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const I32 = 0x7f;
const V128 = 0x7b;

/** Variable-length numbers, seven bits a byte, least significant first. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, unsigned(value >>> 7)];
}

function signed(value: number): Code {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, signed(value >> 7)];
}

/** A place in memory: an address in a local variable plus a constant. Loads and stores need no alignment. */
export interface Place {
  readonly at: Local;
  readonly offset: number;
}

const address = ({ at }: Place): Code => get(at);
const immediate = ({ offset }: Place): Code => [0, unsigned(offset)];
const vector = (operator: number, ...operands: readonly Code[]): Code => [operands, 0xfd, unsigned(operator)];

export const constant = (value: number): Code => [0x41, signed(value)];
export const get = (local: Local): Code => [0x20, unsigned(local)];
export const set = (local: Local, value: Code): Code => [value, 0x21, unsigned(local)];
export const addAddress = (a: Code, b: Code): Code => [a, b, 0x6a];
/** Repeats `body` while `again`, a comparison at its end, holds. */
export const repeatWhile = (body: Code, again: Code): Code => [0x03, 0x40, body, again, 0x0d, 0, 0x0b];
export const less = (a: Code, b: Code): Code => [a, b, 0x48];

/** Sixteen bytes; the same four from one place in all lanes; one number in all lanes. */
export const load = (place: Place): Code => [vector(0, address(place)), immediate(place)];
export const loadSplat = (place: Place): Code => [vector(9, address(place)), immediate(place)];
export const splat = (value: Code): Code => vector(17, value);
export const store = (place: Place, value: Code): Code => [vector(11, address(place), value), immediate(place)];
export const bytesConstant = (bytes: readonly number[]): Code => [vector(12), bytes];

/** Bytes of `a` (0–15) and `b` (16–31), chosen by constants; bytes of `table`, chosen by the bytes of `indexes`. */
export const shuffle = (a: Code, b: Code, bytes: readonly number[]): Code => [vector(13, a, b), bytes];
export const lookUp = (table: Code, indexes: Code): Code => vector(14, table, indexes);

export const and = (a: Code, b: Code): Code => vector(78, a, b);
/** `a` where `b` has no bits. */
export const andNot = (a: Code, b: Code): Code => vector(79, a, b);
export const or = (a: Code, b: Code): Code => vector(80, a, b);
export const xor = (a: Code, b: Code): Code => vector(81, a, b);
export const not = (a: Code): Code => vector(77, a);

/** By lanes of 32 bits; `greater` answers lanes of ones or zeros. */
export const add = (a: Code, b: Code): Code => vector(0xae, a, b);
export const greater = (a: Code, b: Code): Code => vector(0x3b, a, b);
export const shiftLeft = (a: Code, bits: number): Code => vector(0xab, a, constant(bits));
export const shiftRight = (a: Code, bits: number): Code => vector(0xad, a, constant(bits));

const section = (id: number, ...content: readonly Code[]): Code => [id, sized(content)];
const name = (text: string): Code => sized([...Buffer.from(text)]);

/** Its length in bytes goes before it. */
function sized(content: Code): Code {
  const bytes = flatten(content);
  return [unsigned(bytes.length), bytes];
}

function flatten(code: Code, into: number[] = []): number[] {
  for (const part of code) {
    if (typeof part === 'number') into.push(part);
    else flatten(part, into);
  }
  return into;
}

/**
 * A module that imports `env.memory` of at least `pages` and exports one function `run` with one whole number as
 * parameter (local 0). Behind it lie `numbers` locals for whole numbers, then `vectors` for vectors.
 */
export function assembleModule(
  body: Code,
  { pages, numbers, vectors }: { readonly pages: number; readonly numbers: number; readonly vectors: number },
): Uint8Array<ArrayBuffer> {
  const code = [2, unsigned(numbers), I32, unsigned(vectors), V128, body, 0x0b];
  const sections = [
    section(1, [1, 0x60, 1, I32, 0]),
    section(2, [1, name('env'), name('memory'), 2, 0, unsigned(pages)]),
    section(3, [1, 0]),
    section(7, [1, name('run'), 0, 0]),
    section(10, [1, sized(code)]),
  ];
  return Uint8Array.from([...HEAD, ...flatten(sections)]);
}
