/** A growing buffer in which one row is put together; `at` is where the next byte goes. */
export interface RowWriter {
  bytes: Buffer;
  view: DataView;
  at: number;
}

const USUAL_SIZE = 8192;
const LARGEST_KEPT = 1024 * 1024;

export function createRowWriter(): RowWriter {
  const bytes = Buffer.allocUnsafeSlow(USUAL_SIZE);
  return { bytes, view: new DataView(bytes.buffer), at: 0 };
}

/** Makes room for `more` bytes behind `at`. */
export function ensureRoom(row: RowWriter, more: number): void {
  if (row.at + more <= row.bytes.length) return;
  const grown = Buffer.allocUnsafeSlow(Math.max(row.bytes.length * 2, row.at + more));
  row.bytes.copy(grown, 0, 0, row.at);
  row.bytes = grown;
  row.view = new DataView(grown.buffer);
}

/** Empties it, and gives back what one large row took. */
export function clearRow(row: RowWriter): void {
  row.at = 0;
  if (row.bytes.length <= LARGEST_KEPT) return;
  Object.assign(row, createRowWriter());
}

/** A value of a tuple: `length` bytes at `at`. */
export interface Cell {
  bytes: Buffer;
  view: DataView;
  at: number;
  length: number;
}

/** Writes the value as a field of a binary `COPY` row: four bytes of length, then the bytes. */
export type Convert = (cell: Cell, row: RowWriter) => void;

/** The value as it is. */
export function copyCell(cell: Cell, row: RowWriter): void {
  const { bytes, at, length } = cell;
  ensureRoom(row, length + 4);
  row.view.setInt32(row.at, length);
  row.at += 4;
  if (length < 24) {
    const target = row.bytes;
    for (let i = 0; i < length; i++) target[row.at + i] = bytes[at + i] ?? 0;
  } else {
    bytes.copy(row.bytes, row.at, at, at + length);
  }
  row.at += length;
}

/** A text that was made here. */
export function putText(text: string, row: RowWriter): void {
  const length = Buffer.byteLength(text);
  ensureRoom(row, length + 4);
  row.view.setInt32(row.at, length);
  row.bytes.write(text, row.at + 4);
  row.at += 4 + length;
}

/** No value. */
export function putNull(row: RowWriter): void {
  ensureRoom(row, 4);
  row.view.setInt32(row.at, -1);
  row.at += 4;
}

export function cellText({ bytes, at, length }: Cell): string {
  return bytes.toString('utf8', at, at + length);
}
