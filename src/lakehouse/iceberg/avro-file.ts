import { deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import avro from 'avsc';
import { snappyUncompress } from 'hyparquet';
import { Failure } from '../../errors.ts';
import { exactInteger } from './exact.ts';

/** Avro object container files, with the header metadata that Iceberg needs. Longs are numbers while safe, else bigints. */

const MAGIC = Buffer.from('Obj\u0001', 'latin1');
const RECORDS_PER_BLOCK = 2000;

export type AvroSchema = { readonly [key: string]: unknown } | string | readonly AvroSchema[];
export type AvroRecord = Readonly<Record<string, unknown>>;

interface LongMethods {
  fromBuffer(bytes: Buffer): unknown;
  toBuffer(value: number | bigint): Buffer;
  fromJSON: (value: unknown) => unknown;
  toJSON: (value: unknown) => unknown;
  isValid(value: unknown): boolean;
  compare(left: number | bigint, right: number | bigint): number;
}

const longMethods: LongMethods = {
  fromBuffer: (bytes) => exactInteger(bytes.readBigInt64LE()),
  toBuffer(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: (value) => value,
  toJSON: (value) => value,
  isValid: (value) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (left, right) => (left < right ? -1 : left > right ? 1 : 0),
};

function typeOf(schema: AvroSchema): avro.Type {
  const registry = { long: avro.types.LongType.__with(longMethods) };
  return avro.Type.forSchema(schema as avro.Schema, { registry, wrapUnions: false });
}

export interface AvroFile {
  readonly schema: AvroSchema;
  readonly header: Readonly<Record<string, string>>;
  readonly records: readonly AvroRecord[];
}

/** A whole container file; `header` holds the metadata besides schema and codec; `sync` is 16 random bytes. */
export function writeAvroFile(file: AvroFile, sync: Uint8Array): Buffer {
  const type = typeOf(file.schema);
  const pieces = [
    MAGIC,
    headerBytes({ 'avro.schema': JSON.stringify(file.schema), 'avro.codec': 'deflate', ...file.header }),
    sync,
  ];
  for (let at = 0; at < file.records.length; at += RECORDS_PER_BLOCK) {
    const block = file.records.slice(at, at + RECORDS_PER_BLOCK);
    const bytes = deflateRawSync(Buffer.concat(block.map((record) => type.toBuffer(record))));
    pieces.push(longBytes(block.length), longBytes(bytes.length), bytes, sync);
  }
  return Buffer.concat(pieces);
}

function headerBytes(header: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(header)
    .flat()
    .map((text) => Buffer.from(text));
  const pieces = entries.flatMap((text) => [longBytes(text.length), text]);
  return Buffer.concat([longBytes(entries.length / 2), ...pieces, longBytes(0)]);
}

/** Zigzag variable-length form; counts and lengths only, so always a small positive number. */
function longBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** Reads a whole container file of any writer; `storage_failed` when the bytes are not one. */
export function readAvroFile(bytes: Buffer): AvroFile {
  const cursor = { bytes, at: 4 };
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw new Failure('storage_failed', 'A table file is no Avro file.');
  const header = readHeader(cursor);
  const { 'avro.schema': schemaText = '""', 'avro.codec': codec = 'null', ...rest } = header;
  const schema = JSON.parse(schemaText) as AvroSchema;
  const type = typeOf(schema);
  cursor.at += 16;
  const records: AvroRecord[] = [];
  while (cursor.at < bytes.length) {
    const count = readCount(cursor);
    const length = readCount(cursor);
    const block = decompress(codec, bytes.subarray(cursor.at, cursor.at + length));
    cursor.at += length + 16;
    for (let index = 0, at = 0; index < count; index++) {
      const { value, offset } = type.decode(block, at);
      if (offset < 0) throw new Failure('storage_failed', 'A table file in Avro form is cut off.');
      records.push(value as AvroRecord);
      at = offset;
    }
  }
  return { schema, header: rest, records };
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function readHeader(cursor: Cursor): Record<string, string> {
  const header: Record<string, string> = {};
  for (let count = readCount(cursor); count !== 0; count = readCount(cursor)) {
    if (count < 0) readCount(cursor);
    for (let index = 0; index < Math.abs(count); index++) {
      const key = readText(cursor);
      header[key] = readText(cursor);
    }
  }
  return header;
}

function readText(cursor: Cursor): string {
  const length = readCount(cursor);
  cursor.at += length;
  return cursor.bytes.toString('utf8', cursor.at - length, cursor.at);
}

function readCount(cursor: Cursor): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) throw new Failure('storage_failed', 'A table file in Avro form is cut off.');
    value += (byte & 127) * factor;
    if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function decompress(codec: string, block: Buffer): Buffer {
  switch (codec) {
    case 'null':
      return block;
    case 'deflate':
      return inflateRawSync(block);
    case 'zstandard':
      return zstdDecompressSync(block);
    case 'snappy': {
      const length = snappyLength(block);
      const output = new Uint8Array(length);
      snappyUncompress(block.subarray(0, -4), output);
      return Buffer.from(output.buffer);
    }
    default:
      throw new Failure('storage_failed', `A table file is compressed by "${codec}", which Penstock does not read.`);
  }
}

function snappyLength(block: Buffer): number {
  let length = 0;
  for (let at = 0, factor = 1; ; at++, factor *= 128) {
    length += (block[at]! & 127) * factor;
    if (block[at]! < 128) return length;
  }
}
