/**
 * Logical types of a column as the lake stores it. `timestamp` is an instant in microseconds since 1970 UTC
 * (Iceberg `timestamptz`, Parquet TIMESTAMP(MICROS, UTC)).
 */
export type ColumnType =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int' }
  | { readonly kind: 'long' }
  | { readonly kind: 'float' }
  | { readonly kind: 'double' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'string' };

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/**
 * The values of one column of one batch. Dense: nulls take no place in `values`; `count` = rows − nulls.
 *
 * | type                | values                                                                         |
 * |---------------------|--------------------------------------------------------------------------------|
 * | boolean             | Uint8Array, 0 or 1 per value                                                   |
 * | int                 | Int32Array                                                                     |
 * | long, timestamp     | Int32Array, two lanes per value: low word, high word                           |
 * | float / double      | Float32Array / Float64Array                                                    |
 * | decimal, p <= 9     | Int32Array, unscaled                                                           |
 * | decimal, p <= 18    | Int32Array, two lanes per value, unscaled two's complement                     |
 * | decimal, p <= 38    | Int32Array, four lanes per value, low word first, unscaled two's complement    |
 * | string              | Int32Array of count + 1 offsets into `heap` (UTF-8); offsets[0] = 0            |
 *
 * Arrays may be longer than `count` needs; what lies behind is garbage. `validity` is a bitmap, one bit per *row*, least
 * significant bit first, 1 = present; meaningless when `nulls` is 0.
 */
export interface ColumnVector {
  readonly column: Column;
  readonly values: Uint8Array | Int32Array | Float32Array | Float64Array;
  readonly heap: Uint8Array;
  readonly validity: Uint8Array;
  readonly nulls: number;
  readonly count: number;
  /** True when every row holds the same non-null value and `values` holds it once (count = 1 whatever the rows). */
  readonly constant?: boolean;
}

/** Some rows of one stream, column by column. The producer may reuse the buffers once the consumer has answered. */
export interface ColumnBatch {
  readonly rows: number;
  readonly columns: readonly ColumnVector[];
}

/** Int32 lanes that one value takes in `values`, or 0 for types stored otherwise. */
export function lanesOf(type: ColumnType): 0 | 1 | 2 | 4 {
  switch (type.kind) {
    case 'int':
      return 1;
    case 'long':
    case 'timestamp':
      return 2;
    case 'decimal':
      return type.precision <= 9 ? 1 : type.precision <= 18 ? 2 : 4;
    default:
      return 0;
  }
}

/** The type as one word, e.g. `decimal(10,2)`; two types are equal when their words are. */
export function typeWord(type: ColumnType): string {
  return type.kind === 'decimal' ? `decimal(${type.precision},${type.scale})` : type.kind;
}
