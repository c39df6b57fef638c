import type { Column, ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import { appendAscii, appendByte, createByteBuffer, ensureRoom } from './bytes.ts';
import type { ByteBuffer } from './bytes.ts';
import { isPresent } from './identity.ts';
import { textWriter } from './texts.ts';
import type { TextWriter } from './texts.ts';

const DATA_COLUMN: Column = { name: 'data', type: { kind: 'string' }, nullable: true };
const QUOTE = 34;

/**
 * Makes the `data` vector of a stream without normalization: each row as one JSON object under the source's column
 * names, numbers and decimals digit by digit. Buffers are reused by the next call.
 */
export function createDataColumn(names: readonly string[]): (batch: ColumnBatch) => ColumnVector {
  const heads = names.map((name, index) => Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`));
  const heap = createByteBuffer(1 << 20);
  return (batch) => {
    const writers = batch.columns.map((vector) => jsonWriter(vector.column));
    const next = new Int32Array(batch.columns.length);
    const offsets = new Int32Array(batch.rows + 1);
    heap.length = 0;
    for (let row = 0; row < batch.rows; row++) {
      batch.columns.forEach((vector, at) => {
        appendBytes(heap, heads[at]!);
        if (vector.constant === true) writers[at]!(heap, vector, 0);
        else if (isPresent(vector, row)) writers[at]!(heap, vector, next[at]!++);
        else appendAscii(heap, 'null');
      });
      appendByte(heap, 125);
      offsets[row + 1] = heap.length;
    }
    const { rows } = batch;
    return { column: DATA_COLUMN, values: offsets, heap: heap.bytes, validity: NO_BITS, nulls: 0, count: rows };
  };
}

const NO_BITS = new Uint8Array(0);

function jsonWriter({ type }: Column): TextWriter {
  const write = textWriter(type);
  if (type.kind === 'string') return appendJsonString;
  if (type.kind === 'timestamp') return (out, vector, index) => quoted(out, () => write(out, vector, index));
  if (type.kind !== 'float' && type.kind !== 'double') return write;
  return (out, vector, index) => {
    // JSON has no NaN and no infinities: they stay readable as text.
    if (Number.isFinite(vector.values[index]!)) write(out, vector, index);
    else quoted(out, () => write(out, vector, index));
  };
}

function quoted(out: ByteBuffer, write: () => void): void {
  appendByte(out, QUOTE);
  write();
  appendByte(out, QUOTE);
}

function appendBytes(out: ByteBuffer, bytes: Uint8Array): void {
  ensureRoom(out, bytes.length);
  out.bytes.set(bytes, out.length);
  out.length += bytes.length;
}

function appendJsonString(out: ByteBuffer, vector: ColumnVector, index: number): void {
  const end = vector.values[index + 1]!;
  appendByte(out, QUOTE);
  for (let at = vector.values[index]!; at < end; at++) {
    const byte = vector.heap[at]!;
    if (byte === QUOTE || byte === 92) {
      appendByte(out, 92);
      appendByte(out, byte);
    } else if (byte < 32) appendAscii(out, `\\u00${byte.toString(16).padStart(2, '0')}`);
    else appendByte(out, byte);
  }
  appendByte(out, QUOTE);
}
