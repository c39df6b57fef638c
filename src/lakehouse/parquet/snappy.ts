/** Positions of the last occurrence of a four-byte sequence, by hash. Relative to the present block. */
const HASH_BITS = 14;
const BLOCK_BYTES = 1 << 16;
const table = new Uint16Array(1 << HASH_BITS);

/** Raw Snappy (no framing), as Parquet pages use it: the length, then literals and copies of at most 64 KiB back. */
export function compressSnappy(input: Uint8Array): Uint8Array {
  const output = Buffer.allocUnsafe(32 + input.length + Math.ceil(input.length / 6));
  let end = 0;
  let rest = input.length;
  while (rest >= 128) {
    output[end++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  output[end++] = rest;
  for (let start = 0; start < input.length; start += BLOCK_BYTES) {
    end = compressBlock(input.subarray(start, start + BLOCK_BYTES), output, end);
  }
  return output.subarray(0, end);
}

function compressBlock(block: Uint8Array, output: Buffer, outputStart: number): number {
  let end = outputStart;
  let literalStart = 0;
  let at = 1;
  /** Grows while nothing matches, so that incompressible data is skipped through quickly. */
  let skip = 32;
  table.fill(0);
  while (at + 4 <= block.length) {
    const word = wordAt(block, at);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = table[slot]!;
    table[slot] = at;
    if (candidate >= at || wordAt(block, candidate) !== word) {
      at += skip++ >>> 5;
      continue;
    }
    let length = 4;
    while (at + length < block.length && block[candidate + length] === block[at + length]) length++;
    end = emitLiteral(block.subarray(literalStart, at), output, end);
    end = emitCopies({ distance: at - candidate, length }, output, end);
    at += length;
    literalStart = at;
    skip = 32;
  }
  return emitLiteral(block.subarray(literalStart), output, end);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function emitLiteral(literal: Uint8Array, output: Buffer, start: number): number {
  if (literal.length === 0) return start;
  let end = start;
  const length = literal.length - 1;
  if (length < 60) output[end++] = length << 2;
  else if (length < 256) {
    output[end++] = 60 << 2;
    output[end++] = length;
  } else {
    output[end++] = 61 << 2;
    end = output.writeUInt16LE(length, end);
  }
  output.set(literal, end);
  return end + literal.length;
}

/** Copies with a two-byte distance, 64 bytes at most each; the last one is kept at four bytes or more. */
function emitCopies(match: { distance: number; length: number }, output: Buffer, start: number): number {
  let end = start;
  let rest = match.length;
  while (rest > 0) {
    const length = rest > 64 ? Math.min(64, rest - 4) : rest;
    output[end++] = ((length - 1) << 2) | 2;
    end = output.writeUInt16LE(match.distance, end);
    rest -= length;
  }
  return end;
}
