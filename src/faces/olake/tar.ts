const BLOCK = 512;

/** The header block of a plain file in a ustar archive. `name` is ASCII of at most 100 characters. */
export function tarHeader(entry: { readonly name: string; readonly size: number; readonly time: Date }): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(entry.name, 0, 100, 'latin1');
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${octal(entry.size, 11)} `, 124, 'latin1');
  block.write(`${octal(Math.floor(entry.time.getTime() / 1000), 11)} `, 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, width: number): string {
  return value.toString(8).padStart(width, '0');
}

/** Zeroes that fill the last block of a file of this size. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The end of an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * BLOCK);
