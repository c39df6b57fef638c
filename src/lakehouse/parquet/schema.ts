import type { Column, ColumnType } from '../../columns/index.ts';
import type { ThriftEncoder } from './thrift.ts';

/** Parquet's numbers for its physical types. */
export const physicalTypes = {
  boolean: 0,
  int32: 1,
  int64: 2,
  float: 4,
  double: 5,
  byteArray: 6,
  fixedLengthByteArray: 7,
} as const;

export interface PhysicalType {
  readonly code: number;
  /** Bytes of one plain value; 0 for booleans (bits) and byte arrays. */
  readonly width: number;
}

/** A column of a file: what it is, the id that readers match by, and how its values lie in the file. */
export interface FileColumn {
  readonly column: Column;
  readonly fieldId: number;
  readonly physical: PhysicalType;
}

/** The smallest number of bytes that holds every unscaled value of `precision` digits (the rule Iceberg prescribes). */
export function decimalWidth(precision: number): number {
  const largest = 10n ** BigInt(precision) - 1n;
  let width = 1;
  while (2n ** BigInt(8 * width - 1) - 1n < largest) width++;
  return width;
}

/** How the lake stores a logical type in Parquet (OLake contract, section 7.7). */
export function physicalTypeOf(type: ColumnType): PhysicalType {
  switch (type.kind) {
    case 'boolean':
      return { code: physicalTypes.boolean, width: 0 };
    case 'int':
      return { code: physicalTypes.int32, width: 4 };
    case 'long':
    case 'timestamp':
      return { code: physicalTypes.int64, width: 8 };
    case 'float':
      return { code: physicalTypes.float, width: 4 };
    case 'double':
      return { code: physicalTypes.double, width: 8 };
    case 'decimal':
      if (type.precision <= 9) return { code: physicalTypes.int32, width: 4 };
      if (type.precision <= 18) return { code: physicalTypes.int64, width: 8 };
      return { code: physicalTypes.fixedLengthByteArray, width: decimalWidth(type.precision) };
    case 'string':
      return { code: physicalTypes.byteArray, width: 0 };
  }
}

const CONVERTED_UTF8 = 0;
const CONVERTED_DECIMAL = 5;
const CONVERTED_TIMESTAMP_MICROS = 10;
const REQUIRED = 0;
const OPTIONAL = 1;

/** Writes one `SchemaElement`: physical type, repetition, name, field id, and the logical type in both spellings. */
export function encodeSchemaElement(encoder: ThriftEncoder, { column, fieldId, physical }: FileColumn): void {
  const { type } = column;
  encoder.i32(1, physical.code);
  if (physical.code === physicalTypes.fixedLengthByteArray) encoder.i32(2, physical.width);
  encoder.i32(3, column.nullable ? OPTIONAL : REQUIRED);
  encoder.binary(4, Buffer.from(column.name));
  if (type.kind === 'string') encoder.i32(6, CONVERTED_UTF8);
  if (type.kind === 'timestamp') encoder.i32(6, CONVERTED_TIMESTAMP_MICROS);
  if (type.kind === 'decimal') {
    encoder.i32(6, CONVERTED_DECIMAL);
    encoder.i32(7, type.scale);
    encoder.i32(8, type.precision);
  }
  encoder.i32(9, fieldId);
  if (type.kind === 'string') encoder.struct(10, () => encoder.struct(1, () => {}));
  if (type.kind === 'timestamp') encoder.struct(10, () => encodeTimestampMicrosUtc(encoder));
  if (type.kind === 'decimal') {
    encoder.struct(10, () =>
      encoder.struct(5, () => {
        encoder.i32(1, type.scale);
        encoder.i32(2, type.precision);
      }),
    );
  }
}

function encodeTimestampMicrosUtc(encoder: ThriftEncoder): void {
  encoder.struct(8, () => {
    encoder.bool(1, true);
    encoder.struct(2, () => encoder.struct(2, () => {}));
  });
}
