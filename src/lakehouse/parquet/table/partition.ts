import type { Column, ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import { canonicalText, isPresent, readValue } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';

/** The rows of a batch by the folder that they belong to ('' or a path that ends in a slash), rows in order. */
export type PartitionRule = (batch: ColumnBatch) => ReadonlyMap<string, readonly number[]>;

interface PartitionField {
  readonly column: string;
  readonly fallback: string;
  readonly granularity: Granularity;
}

type Granularity = '' | 'HH' | 'DD' | 'WW' | 'MM' | 'YYYY';
const granularities: readonly string[] = ['', 'HH', 'DD', 'WW', 'MM', 'YYYY'];

/** The column that `now()` stands for: the time of ingestion. */
const INGESTION_TIME = '_olake_timestamp';

/**
 * Reads a partition pattern (OLake contract, section 7.8): literal text mixed with `{column, default, granularity}`, e.g.
 * `/region={region, none, }/{now(), , YYYY}-{now(), , MM}`. Throws `configuration_invalid` for a column that the table
 * does not have, an unknown granularity, or one on a column that holds no time. Undefined for an empty pattern.
 */
export function readPartitionRule(pattern: string | undefined, columns: readonly Column[]): PartitionRule | undefined {
  const trimmed = (pattern ?? '').trim().replaceAll(/^\/+|\/+$/g, '');
  if (trimmed === '') return undefined;
  const parts = trimmed.split(/(\{[^{}]*\})/).filter((part) => part !== '');
  const fields = parts.map((part) => (part.startsWith('{') ? readField(part, columns) : part));
  return (batch) => groupRows(fields, batch);
}

function readField(text: string, columns: readonly Column[]): PartitionField {
  const [name = '', fallback = '', granularity = ''] = text
    .slice(1, -1)
    .split(',')
    .map((word) => word.trim());
  const column = name === 'now()' ? INGESTION_TIME : name;
  const known = columns.find((candidate) => candidate.name === column);
  const refuse = (reason: string): never => {
    throw new Failure('configuration_invalid', `The partition "${text}" ${reason}.`);
  };
  if (known === undefined) return refuse(`names the column "${column}", which the table does not have`);
  if (!granularities.includes(granularity)) return refuse('has a granularity other than HH, DD, WW, MM and YYYY');
  if (granularity !== '' && known.type.kind !== 'timestamp')
    return refuse(`cuts by time, but "${column}" holds no time`);
  return { column, fallback, granularity: granularity as Granularity };
}

function groupRows(fields: readonly (PartitionField | string)[], batch: ColumnBatch): Map<string, number[]> {
  const texts = fields.map((field) => (typeof field === 'string' ? () => literal(field) : fieldTexts(field, batch)));
  const groups = new Map<string, number[]>();
  for (let row = 0; row < batch.rows; row++) {
    let path = '';
    for (const text of texts) path += text(row);
    const rows = groups.get(path);
    if (rows === undefined) groups.set(path, [row]);
    else rows.push(row);
  }
  return new Map([...groups].map(([path, rows]) => [folderOf(path), rows]));
}

/** A literal part keeps its slashes, which make folders. */
const literal = (text: string): string => text.split('/').map(safeSegment).join('/');

function folderOf(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '');
  return segments.map((segment) => `${segment}/`).join('');
}

/** The text of one field for each row, rows asked in order. */
function fieldTexts(field: PartitionField, batch: ColumnBatch): (row: number) => string {
  const vector = batch.columns.find((candidate) => candidate.column.name === field.column);
  const fallback = safeSegment(field.fallback === '' ? 'null' : field.fallback);
  if (vector === undefined) return () => fallback;
  const known = new Map<unknown, string>();
  let dense = 0;
  return (row) => {
    if (!isPresent(vector, row)) return fallback;
    const value = readValue(vector, dense++);
    let text = known.get(value);
    if (text === undefined) {
      text = safeSegment(valueText(vector, field, value));
      if (known.size < 10_000) known.set(value, text);
    }
    return text;
  };
}

function valueText(vector: ColumnVector, { granularity }: PartitionField, value: ReturnType<typeof readValue>): string {
  const text = canonicalText(vector.column.type, value);
  if (granularity === '') return text;
  const date = new Date(text.slice(0, -4).concat('Z'));
  if (Number.isNaN(date.getTime())) return text;
  switch (granularity) {
    case 'YYYY':
      return String(date.getUTCFullYear()).padStart(4, '0');
    case 'MM':
      return twoDigits(date.getUTCMonth() + 1);
    case 'WW':
      return twoDigits(weekOf(date));
    case 'DD':
      return twoDigits(date.getUTCDate());
    case 'HH':
      return twoDigits(date.getUTCHours());
  }
}

const twoDigits = (number: number): string => String(number).padStart(2, '0');

/** ISO 8601 week: week 1 holds the year's first Thursday. */
function weekOf(date: Date): number {
  const day = 86_400_000;
  const midnight = Math.floor(date.getTime() / day) * day;
  const thursday = new Date(midnight + (4 - (date.getUTCDay() || 7)) * day);
  return 1 + Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / (7 * day));
}

const SEGMENT_CHARACTERS = 80;

/** A value as part of a folder's name: what a path or a shell could misread is percent-encoded, the length is bounded. */
export function safeSegment(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not reach a path
  const escaped = text.replaceAll(/[\u0000-\u001f\u007f/\\:*?"<>|%]/g, percent).replace(/^[._]|\.$/, percent);
  return [...escaped].slice(0, SEGMENT_CHARACTERS).join('');
}

const percent = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
