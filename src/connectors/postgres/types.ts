import type { ColumnType } from '../../columns/index.ts';

/** How a value lies in a binary `COPY` row; one reader of `wire/decoder.ts` for each. */
export type WireKind =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'date'
  | 'timestamp'
  | 'text'
  | 'jsonb'
  | 'uuid'
  | 'bytea';

/** What the catalog says of a column's type; domains are already resolved to what they stand on. */
export interface TypeFacts {
  readonly schema: string;
  readonly name: string;
  /** `pg_type.typcategory`; `A` = array. */
  readonly category: string;
  readonly modifier: number;
}

/** How a column is asked for, read, and stored. */
export interface Reading {
  readonly wire: WireKind;
  readonly type: ColumnType;
  /** The value in the `COPY` select, from a quoted column. */
  readonly expression: (column: string) => string;
  /** True when a column of the type is sent as `wire` without the expression, which only costs the server time then. */
  readonly isSentSo: boolean;
  /** True when comparing needs the expression because the column's own type has no usable operators. */
  readonly compareByExpression: boolean;
  readonly orderable: boolean;
}

const plain = (wire: WireKind, type: ColumnType, cast: string): Reading => ({
  wire,
  type,
  expression: (column) => `${column}::pg_catalog.${cast}`,
  isSentSo: true,
  compareByExpression: false,
  orderable: wire !== 'bool' && wire !== 'jsonb' && cast !== 'json',
});

const STRING: ColumnType = { kind: 'string' };
const TIMESTAMP: ColumnType = { kind: 'timestamp' };

/** Types of `pg_catalog` with a binary reader of their own. */
const READINGS: Readonly<Record<string, Reading>> = {
  bool: plain('bool', { kind: 'boolean' }, 'bool'),
  int2: plain('int2', { kind: 'int' }, 'int2'),
  int4: plain('int4', { kind: 'int' }, 'int4'),
  int8: plain('int8', { kind: 'long' }, 'int8'),
  float4: plain('float4', { kind: 'float' }, 'float4'),
  float8: plain('float8', { kind: 'double' }, 'float8'),
  date: plain('date', TIMESTAMP, 'date'),
  timestamp: plain('timestamp', TIMESTAMP, '"timestamp"'),
  timestamptz: plain('timestamp', TIMESTAMP, 'timestamptz'),
  text: plain('text', STRING, 'text'),
  varchar: plain('text', STRING, 'text'),
  // A cast to text would cut the blanks that pad a char(n).
  bpchar: plain('text', STRING, 'bpchar'),
  json: plain('text', STRING, 'json'),
  jsonb: plain('jsonb', STRING, 'jsonb'),
  uuid: plain('uuid', STRING, 'uuid'),
  bytea: plain('bytea', STRING, 'bytea'),
};

/** Types that are read as the server's own text and nevertheless have an order that a cursor can follow. */
const ORDERED_TEXTS = new Set(
  'numeric name char oid money time inet cidr macaddr macaddr8 bit varbit pg_lsn xid8 tid'.split(' '),
);

const asServerText: Reading = {
  wire: 'text',
  type: STRING,
  expression: (column) => `${column}::pg_catalog.text`,
  isSentSo: false,
  compareByExpression: false,
  orderable: false,
};

// The cast of an inet to text appends "/32"; its output function does not.
const asOutputOfInet: Reading = {
  ...asServerText,
  expression: (column) => `pg_catalog.textin(pg_catalog.inet_out(${column}))`,
  orderable: true,
};

const asJson: Reading = {
  ...asServerText,
  expression: (column) => `pg_catalog.to_json(${column})::pg_catalog.text`,
  compareByExpression: true,
};

/** The type mapping of the OLake contract, section 7.7, for PostgreSQL. */
export function readingOf(facts: TypeFacts): Reading {
  if (facts.category === 'A') return asJson;
  if (facts.schema !== 'pg_catalog') return { ...asServerText, orderable: facts.category === 'E' };
  if (facts.name === 'numeric') return readingOfNumeric(facts.modifier);
  if (facts.name === 'inet') return asOutputOfInet;
  return READINGS[facts.name] ?? { ...asServerText, orderable: ORDERED_TEXTS.has(facts.name) };
}

/** numeric(p,s) → decimal; without precision, or wider than 38 digits, the exact text. */
function readingOfNumeric(modifier: number): Reading {
  const text = { ...asServerText, orderable: true };
  if (modifier < 4) return text;
  const declared = ((modifier - 4) >> 16) & 0xffff;
  const declaredScale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
  // A negative scale rounds before the point, a scale beyond the precision leaves only zeros behind it (PostgreSQL 15).
  const scale = Math.max(declaredScale, 0);
  const precision = Math.max(declaredScale < 0 ? declared - declaredScale : declared, scale);
  if (precision > 38) return text;
  return decimalReading({ kind: 'decimal', precision, scale });
}

function decimalReading(type: ColumnType): Reading {
  return {
    wire: 'numeric',
    type,
    expression: (column) => `${column}::pg_catalog.numeric`,
    isSentSo: true,
    compareByExpression: false,
    orderable: true,
  };
}

const castTo = (type: 'int8' | 'float8'): Reading => ({ ...(READINGS[type] as Reading), isSentSo: false });

/**
 * How to read a column as the lake type it had when the stream was discovered, when the source's type changed since.
 * Only changes that lose nothing are followed; undefined = discover again.
 */
export function readingAs(actual: Reading, wanted: ColumnType): Reading | undefined {
  const is = actual.type;
  if (is.kind === wanted.kind && is.kind !== 'decimal') return actual;
  switch (wanted.kind) {
    case 'string':
      return { ...asServerText, orderable: actual.orderable };
    case 'long':
      return is.kind === 'int' ? castTo('int8') : undefined;
    case 'double':
      return is.kind === 'float' || is.kind === 'int' ? castTo('float8') : undefined;
    case 'decimal': {
      const digits = is.kind === 'int' ? 10 : is.kind === 'long' ? 19 : is.kind === 'decimal' ? is.precision : 99;
      const scale = is.kind === 'decimal' ? is.scale : 0;
      const fits = wanted.scale >= scale && wanted.precision - wanted.scale >= digits - scale;
      return fits ? { ...decimalReading(wanted), isSentSo: is.kind === 'decimal' } : undefined;
    }
    default:
      return undefined;
  }
}

/** What each wire form may be the form of, by the oids of the server's own types, which are the same in all versions. */
const SENT_AS: Readonly<Record<WireKind, readonly number[]>> = {
  bool: [16],
  int2: [21],
  int4: [23],
  int8: [20],
  float4: [700],
  float8: [701],
  numeric: [1700],
  date: [1082],
  timestamp: [1114, 1184],
  text: [25, 1042, 1043, 114],
  jsonb: [3802],
  uuid: [2950],
  bytea: [17],
};

/** True when values of the server's type arrive as `wire`. */
export function arrivesAs(wire: WireKind, type: number): boolean {
  return SENT_AS[wire].includes(type);
}
