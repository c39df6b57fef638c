import type { ColumnType } from '../../columns/index.ts';

/** How a value lies in a row of the binary protocol; integers come in the width that the answer declares. */
export type WireKind = 'integer' | 'float' | 'double' | 'decimal' | 'date' | 'text' | 'bytes' | 'geometry';

/** How a literal of the column's own type is written. */
export type LiteralKind = 'number' | 'approximate' | 'instant' | 'text' | 'bytes';

/** What `information_schema.columns` says of a column's type. */
export interface TypeFacts {
  /** In lower case, without length or sign. */
  readonly name: string;
  /** As declared: `bigint(20) unsigned`, `enum('a','b')`. */
  readonly declared: string;
  readonly precision: number;
  readonly scale: number;
}

/** How a column is asked for, read, and stored. */
export interface Reading {
  readonly wire: WireKind;
  readonly type: ColumnType;
  /** The value in a select, from a quoted column. */
  readonly expression: (column: string) => string;
  /** The value in a select whose answer is text, so that the text says all of it. */
  readonly printed: (column: string) => string;
  readonly literal: LiteralKind;
  readonly orderable: boolean;
}

const INT: ColumnType = { kind: 'int' };
const LONG: ColumnType = { kind: 'long' };
const STRING: ColumnType = { kind: 'string' };
const TIMESTAMP: ColumnType = { kind: 'timestamp' };
const UNSIGNED_LONG: ColumnType = { kind: 'decimal', precision: 20, scale: 0 };

const itself = (column: string): string => column;
const asText = (column: string): string => `cast(${column} as char)`;
const asBits = (column: string): string => `cast(${column} as unsigned)`;
const inBase64 = (column: string): string => `replace(to_base64(${column}), char(10), '')`;

const base = { expression: itself, printed: itself, orderable: true };
const integer = (type: ColumnType): Reading => ({ ...base, wire: 'integer', type, literal: 'number' });
const text: Reading = { ...base, wire: 'text', type: STRING, literal: 'text' };
const serverText: Reading = { ...text, expression: asText, printed: asText };
const bytes: Reading = { ...base, wire: 'bytes', type: STRING, printed: inBase64, literal: 'bytes' };
const date: Reading = { ...base, wire: 'date', type: TIMESTAMP, literal: 'instant' };
const geometry: Reading = {
  ...base,
  wire: 'geometry',
  type: STRING,
  // Four bytes of the reference system stand before the well-known binary form.
  printed: (column) => inBase64(`substring(${column}, 5)`),
  literal: 'bytes',
  orderable: false,
};
const FLOAT: Reading = {
  ...base,
  wire: 'float',
  type: { kind: 'float' },
  // The server prints a float with six digits only, a double with all that it has.
  printed: (column) => `(${column} + 0e0)`,
  literal: 'approximate',
};
const DOUBLE: Reading = { ...base, wire: 'double', type: { kind: 'double' }, literal: 'approximate' };

/** An enum is ordered by place and compared as text, so no cursor can follow it. */
const unordered: Reading = { ...text, orderable: false };

const READINGS: Readonly<Record<string, Reading>> = {
  tinyint: integer(INT),
  smallint: integer(INT),
  mediumint: integer(INT),
  int: integer(INT),
  bigint: integer(LONG),
  year: integer(LONG),
  float: FLOAT,
  double: DOUBLE,
  date,
  datetime: date,
  timestamp: date,
  time: serverText,
  char: text,
  varchar: text,
  tinytext: text,
  text,
  mediumtext: text,
  longtext: text,
  enum: unordered,
  set: unordered,
  json: unordered,
  binary: bytes,
  varbinary: bytes,
  tinyblob: bytes,
  blob: bytes,
  mediumblob: bytes,
  longblob: bytes,
  uuid: serverText,
  inet6: serverText,
  inet4: serverText,
  geometry,
  point: geometry,
  linestring: geometry,
  polygon: geometry,
  multipoint: geometry,
  multilinestring: geometry,
  multipolygon: geometry,
  geometrycollection: geometry,
  geomcollection: geometry,
};

const MOST_DIGITS = 38;

/**
 * The type mapping of the OLake contract, section 7.7, for MySQL and MariaDB. A `bit` that does not fit an int is a long
 * (up to 63 bits) or a decimal(20,0).
 */
export function readingOf(facts: TypeFacts): Reading {
  const { name, declared, precision, scale } = facts;
  if (name === 'bit') {
    const type = precision < 32 ? INT : precision < 64 ? LONG : UNSIGNED_LONG;
    return { ...integer(type), expression: asBits, printed: asBits };
  }
  if (name === 'decimal') {
    return precision > MOST_DIGITS
      ? { ...text, literal: 'number' }
      : decimalReading({ kind: 'decimal', precision, scale });
  }
  if (isUnsigned(declared)) {
    if (name === 'int') return integer(LONG);
    if (name === 'bigint') return integer(UNSIGNED_LONG);
  }
  return READINGS[name] ?? { ...serverText, orderable: false };
}

export function isUnsigned(declared: string): boolean {
  return /\b(unsigned|zerofill)\b/.test(declared.replace(/'(?:[^']|'')*'/g, ''));
}

function decimalReading(type: ColumnType): Reading {
  return { ...base, wire: 'decimal', type, literal: 'number' };
}

/**
 * How to read a column as the lake type it had when the stream was discovered, when the source's type changed since.
 * Only changes that lose nothing are followed; undefined = discover again.
 */
export function readingAs(actual: Reading, wanted: ColumnType): Reading | undefined {
  const is = actual.type;
  if (is.kind === wanted.kind && is.kind !== 'decimal') return actual;
  switch (wanted.kind) {
    case 'string':
      return { ...actual, wire: 'text', type: STRING, expression: actual.literal === 'bytes' ? inBase64 : asText };
    case 'long':
      return is.kind === 'int' ? { ...actual, type: wanted } : undefined;
    case 'double': {
      const asDouble = (column: string): string => `(${column} + 0e0)`;
      const fits = is.kind === 'float' || is.kind === 'int';
      return fits ? { ...actual, wire: 'double', type: wanted, expression: asDouble } : undefined;
    }
    case 'decimal': {
      const digits = is.kind === 'int' ? 10 : is.kind === 'long' ? 19 : is.kind === 'decimal' ? is.precision : 99;
      const scale = is.kind === 'decimal' ? is.scale : 0;
      if (wanted.scale < scale || wanted.precision - wanted.scale < digits - scale) return undefined;
      const asDecimal = (column: string): string => `cast(${column} as decimal(${wanted.precision},${wanted.scale}))`;
      return { ...actual, wire: 'decimal', type: wanted, expression: asDecimal };
    }
    default:
      return undefined;
  }
}
