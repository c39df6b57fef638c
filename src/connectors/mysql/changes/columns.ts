import type { Column } from '../../../columns/index.ts';
import type { RelationColumn } from '../catalog.ts';
import { isUnsigned } from '../types.ts';
import { createRecoder, isKnownCharset } from './charsets.ts';
import { jsonText } from './json.ts';
import { TYPE, type MappedColumn } from './table-map.ts';
import { inet6Text, oldTimeText, packedDecimalText, timeText, uuidText } from './values.ts';

/** How the bytes of a value become a value of its lake column. */
export type ReadKind =
  | 'integer'
  | 'float'
  | 'double'
  | 'decimal'
  | 'instant'
  | 'year'
  | 'bits'
  | 'copy'
  | 'base64'
  | 'wkb'
  | 'text';

/** A column of row images: how it lies there and, when it is asked for, what becomes of it. */
export interface LogColumn {
  readonly type: number;
  readonly detail: number;
  readonly isKey: boolean;
  readonly target: LogTarget | undefined;
}

export interface LogTarget {
  /** Position among the columns that are decoded. */
  readonly at: number;
  readonly column: Column;
  readonly read: ReadKind;
  readonly unsigned: boolean;
  /** Of kind `text`: the bytes of the text. */
  readonly text?: (value: Buffer) => Buffer;
}

const STRINGS = [TYPE.varchar, TYPE.varString, TYPE.string] as const;

/** Types of the log that a column of a declared type may be written as. */
const WRITTEN_AS: Readonly<Record<string, readonly number[]>> = {
  tinyint: [TYPE.tiny],
  smallint: [TYPE.short],
  mediumint: [TYPE.int24],
  int: [TYPE.long],
  bigint: [TYPE.longlong],
  float: [TYPE.float],
  double: [TYPE.double],
  decimal: [TYPE.decimal],
  bit: [TYPE.bit],
  year: [TYPE.year],
  date: [TYPE.date],
  datetime: [TYPE.datetime2, TYPE.datetime],
  timestamp: [TYPE.timestamp2, TYPE.timestamp],
  time: [TYPE.time2, TYPE.time],
  char: STRINGS,
  varchar: STRINGS,
  binary: STRINGS,
  varbinary: STRINGS,
  enum: [TYPE.enum],
  set: [TYPE.set],
  json: [TYPE.json],
  uuid: [TYPE.string],
  inet6: [TYPE.string],
  inet4: [TYPE.string],
};
const BLOBS = [249, 250, 251, TYPE.blob];

/** True when a column of the log can be this column of the table. */
export function canBe(mapped: MappedColumn, { facts }: RelationColumn): boolean {
  if (/(text|blob)$/.test(facts.name)) return BLOBS.includes(mapped.type);
  return (WRITTEN_AS[facts.name] ?? [TYPE.geometry]).includes(mapped.type);
}

/** Why a column cannot be read from the log; undefined when it can. */
export function whyUnreadable({ facts, charset }: RelationColumn): string | undefined {
  if (!isKnownCharset(charset) && charset !== 'binary') return `its character set ${charset} is not known`;
  if (/\bcompressed\b/i.test(facts.declared)) return 'it is stored compressed';
  if (facts.name === 'vector') return 'vectors are not supported';
  return undefined;
}

/** What becomes of the values; undefined when values of this type cannot become values of the lake column. */
export function readingOfLog(
  mapped: MappedColumn,
  source: RelationColumn,
  column: Column,
): Omit<LogTarget, 'at'> | undefined {
  const unsigned = isUnsigned(source.facts.declared);
  const plain = (read: ReadKind): Omit<LogTarget, 'at'> => ({ column, read, unsigned });
  const { kind } = column.type;
  const isText = kind === 'string';
  const isInteger = kind === 'int' || kind === 'long' || (kind === 'decimal' && column.type.scale === 0);
  switch (mapped.type) {
    case TYPE.tiny:
    case TYPE.short:
    case TYPE.int24:
    case TYPE.long:
    case TYPE.longlong:
      return isInteger ? plain('integer') : undefined;
    case TYPE.year:
      return isInteger ? plain('year') : undefined;
    case TYPE.bit:
      return isInteger ? plain('bits') : undefined;
    case TYPE.float:
      return kind === 'float' || kind === 'double' ? plain('float') : undefined;
    case TYPE.double:
      return kind === 'double' ? plain('double') : undefined;
    case TYPE.decimal:
      return decimalReading(mapped, plain);
    case TYPE.date:
    case TYPE.datetime:
    case TYPE.datetime2:
    case TYPE.timestamp:
    case TYPE.timestamp2:
      return kind === 'timestamp' ? plain('instant') : undefined;
    default:
      return isText ? textReading(mapped, source, plain) : undefined;
  }
}

type Plain = (read: ReadKind) => Omit<LogTarget, 'at'>;

function decimalReading({ detail }: MappedColumn, plain: Plain): Omit<LogTarget, 'at'> | undefined {
  const layout = { precision: detail >> 8, scale: detail & 255 };
  const reading = plain('decimal');
  const { type } = reading.column;
  if (type.kind === 'string') {
    return { ...reading, read: 'text', text: (value) => Buffer.from(packedDecimalText(value, 0, layout)) };
  }
  if (type.kind !== 'decimal') return undefined;
  const fits = type.scale >= layout.scale && type.precision - type.scale >= layout.precision - layout.scale;
  return fits ? reading : undefined;
}

function textReading(mapped: MappedColumn, source: RelationColumn, plain: Plain): Omit<LogTarget, 'at'> {
  const made = (text: (value: Buffer) => Buffer): Omit<LogTarget, 'at'> => ({ ...plain('text'), text });
  const printed = (print: (value: Buffer) => string) => made((value) => Buffer.from(print(value)));
  const { name, declared } = source.facts;
  switch (mapped.type) {
    case TYPE.time2:
      return printed((value) => timeText(value, 0, mapped.detail));
    case TYPE.time:
      return printed((value) => oldTimeText(value, 0));
    case TYPE.geometry:
      return plain('wkb');
    case TYPE.json:
      return printed(jsonText);
    case TYPE.enum:
      return made(enumReader(declared));
    case TYPE.set:
      return made(setReader(declared));
    default:
      break;
  }
  if (name === 'uuid') return printed((value) => uuidText(padded(value, 16)));
  if (name === 'inet6') return printed((value) => inet6Text(padded(value, 16)));
  if (name === 'inet4') return printed((value) => [...padded(value, 4)].join('.'));
  // Zeros at the end are not logged, though they belong to the value.
  if (name === 'binary') return printed((value) => padded(value, source.length).toString('base64'));
  if (name.endsWith('blob') || name === 'varbinary') return plain('base64');
  const recode = createRecoder(source.charset);
  return recode ? made(recode) : plain('copy');
}

function padded(value: Buffer, length: number): Buffer {
  return value.length >= length ? value : Buffer.concat([value, Buffer.alloc(length - value.length)]);
}

function enumReader(declared: string): (value: Buffer) => Buffer {
  const members = membersOf(declared);
  const nothing = Buffer.alloc(0);
  return (value) => members[value.readUIntLE(0, value.length) - 1] ?? nothing;
}

function setReader(declared: string): (value: Buffer) => Buffer {
  const members = membersOf(declared);
  const comma = Buffer.from(',');
  return (value) => {
    const chosen = members.filter((_, at) => ((value[at >> 3] ?? 0) & (1 << (at & 7))) !== 0);
    return Buffer.concat(chosen.flatMap((member, at) => (at === 0 ? [member] : [comma, member])));
  };
}

/** The members of `enum('a','b''c')`. */
function membersOf(declared: string): Buffer[] {
  return [...declared.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => Buffer.from(text.replaceAll("''", "'")));
}
