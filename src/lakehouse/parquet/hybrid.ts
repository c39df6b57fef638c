/**
 * The hybrid of run lengths and packed bits that Parquet keeps levels and dictionary codes in. Answers false when the
 * values are wider than 24 bits, which this decoder leaves to a slower one.
 */
export function unpackHybrid(bytes: Uint8Array, width: number, target: Int32Array): boolean {
  if (width > 24) return false;
  const valueBytes = (width + 7) >> 3;
  const wanted = target.length;
  let at = 0;
  let filled = 0;
  while (filled < wanted) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      header |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if ((header & 1) === 0) {
      let value = 0;
      for (let byte = 0; byte < valueBytes; byte++) value |= bytes[at++]! << (byte * 8);
      const end = Math.min(wanted, filled + (header >>> 1));
      target.fill(value, filled, end);
      if (end === filled) throw new RangeError('a run of no values');
      filled = end;
      continue;
    }
    const groups = header >>> 1;
    const end = Math.min(wanted, filled + groups * 8);
    unpackBits(bytes, at, { width, target, start: filled, end });
    if (end === filled) throw new RangeError('a run of no values');
    at += groups * width;
    filled = end;
  }
  return true;
}

interface PackedRun {
  readonly width: number;
  readonly target: Int32Array;
  readonly start: number;
  readonly end: number;
}

function unpackBits(bytes: Uint8Array, from: number, { width, target, start, end }: PackedRun): void {
  if (width === 0) {
    target.fill(0, start, end);
    return;
  }
  const mask = (1 << width) - 1;
  let at = from;
  let pending = 0;
  let bits = 0;
  for (let index = start; index < end; index++) {
    while (bits < width) {
      pending |= bytes[at++]! << bits;
      bits += 8;
    }
    target[index] = pending & mask;
    pending >>>= width;
    bits -= width;
  }
}
