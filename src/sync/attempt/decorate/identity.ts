import type { Column, ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import type { StreamSelection } from '../../../connectors/kit/index.ts';
import { appendByte, createByteBuffer } from './bytes.ts';
import type { ByteBuffer } from './bytes.ts';
import { appendDigests } from './md5/index.ts';
import { textWriter } from './texts.ts';

export const ID_COLUMN: Column = { name: '_olake_id', type: { kind: 'string' }, nullable: false };
const NO_BITS = new Uint8Array(0);
const BAR = 124;

/**
 * Makes the `_olake_id` vector of batches of this stream (contract 7.5): the key's text; for several key columns, or
 * none, the MD5 over the texts of the key (or all) columns in alphabetical order, each followed by a bar. The vector's
 * buffers are reused by the next call.
 */
export function createIdentity(selection: StreamSelection): (batch: ColumnBatch) => ColumnVector {
  const names = selection.columns.map((column) => column.name);
  const key = selection.primaryKey.map((name) => names.indexOf(name)).filter((index) => index >= 0);
  const texts = createByteBuffer(1 << 20);
  let offsets = new Int32Array(0);
  const offsetsFor = (rows: number): Int32Array => {
    if (offsets.length <= rows) offsets = new Int32Array(rows + 1);
    return offsets;
  };
  if (key.length === 1) {
    const only = key[0]!;
    return (batch) => {
      const vector = batch.columns[only]!;
      if (vector.nulls === 0 && vector.constant !== true && vector.column.type.kind === 'string') {
        return { ...vector, column: ID_COLUMN };
      }
      return printEach(vector, { rows: batch.rows, offsets: offsetsFor(batch.rows), texts });
    };
  }
  const chosen = key.length > 0 ? key : names.map((_, index) => index);
  const ordered = chosen.toSorted((a, b) => (names[a]! < names[b]! ? -1 : 1));
  return (batch) => {
    const work = { rows: batch.rows, offsets: offsetsFor(batch.rows), texts };
    return digestEach(
      ordered.map((index) => batch.columns[index]!),
      work,
    );
  };
}

interface Work {
  readonly rows: number;
  readonly offsets: Int32Array;
  readonly texts: ByteBuffer;
}

function printEach(vector: ColumnVector, { rows, offsets, texts }: Work): ColumnVector {
  const write = textWriter(vector.column.type);
  texts.length = 0;
  offsets[0] = 0;
  let index = 0;
  for (let row = 0; row < rows; row++) {
    if (vector.constant === true) write(texts, vector, 0);
    else if (isPresent(vector, row)) write(texts, vector, index++);
    offsets[row + 1] = texts.length;
  }
  return idVector(rows, offsets, texts);
}

function digestEach(vectors: readonly ColumnVector[], { rows, offsets, texts }: Work): ColumnVector {
  const writers = vectors.map((vector) => textWriter(vector.column.type));
  const next = new Int32Array(vectors.length);
  texts.length = 0;
  appendDigests(texts, rows, (line, row) => {
    for (let at = 0; at < vectors.length; at++) {
      const vector = vectors[at]!;
      if (vector.constant === true) writers[at]!(line, vector, 0);
      else if (isPresent(vector, row)) writers[at]!(line, vector, next[at]!++);
      appendByte(line, BAR);
    }
  });
  for (let row = 0; row <= rows; row++) offsets[row] = 32 * row;
  return idVector(rows, offsets, texts);
}

function idVector(rows: number, offsets: Int32Array, texts: ByteBuffer): ColumnVector {
  return { column: ID_COLUMN, values: offsets, heap: texts.bytes, validity: NO_BITS, nulls: 0, count: rows };
}

export function isPresent(vector: ColumnVector, row: number): boolean {
  return vector.nulls === 0 || ((vector.validity[row >> 3]! >> (row & 7)) & 1) === 1;
}
