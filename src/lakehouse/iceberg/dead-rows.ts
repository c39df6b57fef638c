/** Rows of one file that are deleted: one bit each. */
export interface DeadRows {
  readonly count: number;
  /** True when the row was not dead before. */
  add(row: number): boolean;
  has(row: number): boolean;
  /** The dead rows, rising. */
  rows(): Iterable<number>;
}

export function createDeadRows(): DeadRows {
  let bits = new Uint8Array(64);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(row) {
      const byte = Math.floor(row / 8);
      if (byte >= bits.length) {
        const grown = new Uint8Array(Math.max(bits.length * 2, byte + 1));
        grown.set(bits);
        bits = grown;
      }
      const mask = 1 << (row & 7);
      if (bits[byte]! & mask) return false;
      bits[byte]! |= mask;
      count += 1;
      return true;
    },
    has: (row) => (bits[Math.floor(row / 8)]! & (1 << (row & 7))) !== 0,
    *rows() {
      for (const [byte, set] of bits.entries()) {
        if (set === 0) continue;
        for (let bit = 0; bit < 8; bit++) if (set & (1 << bit)) yield byte * 8 + bit;
      }
    },
  };
}

/** Dead rows by the path of their file. */
export type DeadByFile = Map<string, DeadRows>;

/** The dead rows of the file; none yet when it is new. */
export function deadRowsOf(dead: DeadByFile, path: string): DeadRows {
  let rows = dead.get(path);
  if (!rows) dead.set(path, (rows = createDeadRows()));
  return rows;
}
