import type { SchemaElement, SchemaTree } from 'hyparquet';
import type { ColumnType } from '../../columns/index.ts';

/** How values of a column lie in the file, raw as the reader hands them out. */
export type Storing =
  | 'boolean'
  | 'int'
  | 'unsigned'
  | 'long'
  | 'unsignedLong'
  | 'float'
  | 'half'
  | 'double'
  | 'decimal'
  | 'days'
  | 'millis'
  | 'micros'
  | 'nanos'
  | 'text'
  | 'uuid'
  | 'binary'
  | 'timeMillis'
  | 'timeMicros'
  | 'timeNanos'
  | 'nested';

/** One top-level column of a file: its lake type, and how it is read. */
export interface ParquetColumn {
  readonly name: string;
  readonly tree: SchemaTree;
  readonly storing: Storing;
  readonly type: ColumnType;
  readonly sourceType: string;
}

const STRING: ColumnType = { kind: 'string' };
const MOST_PRECISION = 38;

/** The type mapping of the OLake contract, section 7.7, for Parquet files as a source. */
export function describeColumn(tree: SchemaTree): ParquetColumn {
  const { element } = tree;
  const base = { name: element.name, tree };
  if (tree.children.length > 0 || element.repetition_type === 'REPEATED') {
    return { ...base, storing: 'nested', type: STRING, sourceType: nestedWord(element) };
  }
  const storing = storingOf(element);
  return { ...base, storing, type: typeOf(storing, element), sourceType: wordOf(element) };
}

function nestedWord(element: SchemaElement): string {
  return (element.converted_type ?? element.logical_type?.type ?? 'STRUCT').toLowerCase();
}

function wordOf(element: SchemaElement): string {
  const word = element.logical_type?.type ?? element.converted_type ?? element.type ?? '';
  return element.precision === undefined
    ? word.toLowerCase()
    : `${word.toLowerCase()}(${element.precision},${element.scale ?? 0})`;
}

function storingOf(element: SchemaElement): Storing {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') return 'decimal';
  switch (type) {
    case 'BOOLEAN':
      return 'boolean';
    case 'INT32':
      return storingOfInt(element);
    case 'INT64':
      return storingOfLong(element);
    case 'INT96':
      return 'nanos';
    case 'FLOAT':
      return 'float';
    case 'DOUBLE':
      return 'double';
    case 'BYTE_ARRAY':
      return isText(element) ? 'text' : 'binary';
    default:
      return logical?.type === 'UUID' ? 'uuid' : logical?.type === 'FLOAT16' ? 'half' : 'binary';
  }
}

function isText({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return (
    converted === 'UTF8' ||
    converted === 'ENUM' ||
    converted === 'JSON' ||
    logical?.type === 'STRING' ||
    logical?.type === 'ENUM' ||
    logical?.type === 'JSON'
  );
}

function storingOfInt({ converted_type: converted, logical_type: logical }: SchemaElement): Storing {
  if (converted === 'DATE' || logical?.type === 'DATE') return 'days';
  if (converted === 'TIME_MILLIS' || logical?.type === 'TIME') return 'timeMillis';
  const unsigned = logical?.type === 'INTEGER' && !logical.isSigned && logical.bitWidth === 32;
  return converted === 'UINT_32' || unsigned ? 'unsigned' : 'int';
}

const STORED_TIMES = { MILLIS: 'millis', MICROS: 'micros', NANOS: 'nanos' } as const;

function storingOfLong({ converted_type: converted, logical_type: logical }: SchemaElement): Storing {
  if (logical?.type === 'TIMESTAMP') return STORED_TIMES[logical.unit];
  if (converted === 'TIMESTAMP_MILLIS') return 'millis';
  if (converted === 'TIMESTAMP_MICROS') return 'micros';
  if (logical?.type === 'TIME') return logical.unit === 'NANOS' ? 'timeNanos' : 'timeMicros';
  if (converted === 'TIME_MICROS') return 'timeMicros';
  const unsigned = logical?.type === 'INTEGER' && !logical.isSigned && logical.bitWidth === 64;
  return converted === 'UINT_64' || unsigned ? 'unsignedLong' : 'long';
}

function typeOf(storing: Storing, element: SchemaElement): ColumnType {
  switch (storing) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return { kind: storing };
    case 'unsigned':
      return { kind: 'long' };
    case 'unsignedLong':
      return { kind: 'decimal', precision: 20, scale: 0 };
    case 'half':
      return { kind: 'float' };
    case 'decimal':
      return decimalType(element);
    case 'days':
    case 'millis':
    case 'micros':
    case 'nanos':
      return { kind: 'timestamp' };
    default:
      return STRING;
  }
}

/** Wider decimals than the lake holds become their exact text. */
function decimalType(element: SchemaElement): ColumnType {
  const { precision = MOST_PRECISION, scale = 0 } =
    element.logical_type?.type === 'DECIMAL' ? element.logical_type : element;
  return precision > MOST_PRECISION || scale > precision ? STRING : { kind: 'decimal', precision, scale };
}

export function scaleOf(element: SchemaElement): number {
  return (element.logical_type?.type === 'DECIMAL' ? element.logical_type.scale : element.scale) ?? 0;
}
