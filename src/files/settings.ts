import { Failure } from '../errors.ts';
import type { CsvSettings } from './csv.ts';
import type { Compression, Format } from './formats.ts';

/** How files are recognised and read; the same for every place. */
export interface FileSettings {
  /** `auto` goes by each file's name. */
  readonly format: Format | 'auto';
  /** True when the format was given as `jsonl`. */
  readonly lines: boolean;
  readonly compression: Compression | 'auto';
  readonly pattern: RegExp | undefined;
  readonly csv: CsvSettings;
  /** Undefined = each file shows. */
  readonly lineDelimited: boolean | undefined;
  /** Records of a file by which types are recognised. */
  readonly sampleRows: number;
  /** Types that the user knows better, by column. */
  readonly types: ReadonlyMap<string, TypeWord>;
  readonly threads: number;
}

export const TYPE_WORDS = ['string', 'integer', 'number', 'boolean', 'timestamp'] as const;
export type TypeWord = (typeof TYPE_WORDS)[number];

export type Fields = Readonly<Record<string, unknown>>;

const LONGEST_PATTERN = 1000;
const MOST_SAMPLE = 1_000_000;

/** Reads the fields that all file sources share. A wrong value is a `configuration_invalid` failure that names the field. */
export function readFileSettings(config: Fields): FileSettings {
  const given = wordAt(config, 'file_format', ['auto', 'csv', 'json', 'jsonl', 'parquet']);
  const json = objectAt(config, 'json');
  const line = json['line_delimited'];
  return {
    format: given === 'jsonl' ? 'json' : given,
    lines: given === 'jsonl',
    compression: wordAt(config, 'compression', ['auto', 'none', 'gzip', 'zip', 'zstd']),
    pattern: readPattern(config['file_pattern']),
    csv: readCsvSettings(objectAt(config, 'csv')),
    lineDelimited: typeof line === 'boolean' ? line : undefined,
    sampleRows: wholeNumber(config, 'sample_rows', { least: 1, most: MOST_SAMPLE, otherwise: 1000 }),
    types: readTypes(objectAt(config, 'column_types')),
    threads: wholeNumber(config, 'max_threads', { least: 1, most: 64, otherwise: 3 }),
  };
}

function readCsvSettings(csv: Fields): CsvSettings {
  const delimiter = textAt(csv, 'delimiter', '');
  const quote = textAt(csv, 'quote_character', '"');
  if (delimiter.length > 8) throw invalid('csv.delimiter', 'must be at most 8 characters');
  if ([...quote].length > 1) throw invalid('csv.quote_character', 'must be one character, or empty');
  if (delimiter !== '' && (delimiter === quote || /[\r\n]/.test(delimiter))) {
    throw invalid('csv.delimiter', 'must be neither the quote nor a line break');
  }
  const header = csv['has_header'] ?? true;
  if (typeof header !== 'boolean') throw invalid('csv.has_header', 'must be true or false');
  return {
    delimiter: delimiter === '' ? undefined : delimiter.replaceAll('\\t', '\t'),
    hasHeader: header,
    skipRows: wholeNumber(csv, 'skip_rows', { least: 0, most: 1_000_000, otherwise: 0 }),
    quote,
  };
}

function readPattern(value: unknown): RegExp | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || value.length > LONGEST_PATTERN) {
    throw invalid('file_pattern', `must be a regular expression of at most ${LONGEST_PATTERN} characters`);
  }
  try {
    return new RegExp(value, 'u');
  } catch {
    throw invalid('file_pattern', 'is not a regular expression');
  }
}

function readTypes(types: Fields): ReadonlyMap<string, TypeWord> {
  return new Map(
    Object.entries(types).map(([name, value]) => {
      const word = TYPE_WORDS.find((known) => known === value);
      if (!word) throw invalid('column_types', `must name one of ${TYPE_WORDS.join(', ')} for each column`);
      return [name, word];
    }),
  );
}

/** The text of a field; `otherwise` when it is absent or empty and not demanded. */
export function textAt(fields: Fields, name: string, otherwise?: string): string {
  const value = fields[name];
  if (value === undefined || value === null || (value === '' && otherwise === undefined)) {
    if (otherwise === undefined) throw invalid(name, 'is required');
    return otherwise;
  }
  if (typeof value !== 'string') throw invalid(name, 'must be text');
  if (value.includes('\0')) throw invalid(name, 'must not hold a NUL character');
  return value;
}

/** The object of a field; an absent one is empty. */
export function objectAt(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (value === undefined || value === null) return {};
  return asFields(value, name);
}

export function asFields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(name, 'must be an object');
}

/** One of some words, the first of which stands for an absent field. */
function wordAt<const T extends string>(fields: Fields, name: string, words: readonly [T, ...T[]]): T {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return words[0];
  const word = words.find((known) => known === (typeof value === 'string' ? value.toLowerCase() : value));
  if (word === undefined) throw invalid(name, `must be one of ${words.join(', ')}`);
  return word;
}

interface Range {
  readonly least: number;
  readonly most: number;
  readonly otherwise: number;
}

function wholeNumber(fields: Fields, name: string, { least, most, otherwise }: Range): number {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return otherwise;
  const number = Number(value);
  if (!Number.isInteger(number) || number < least) throw invalid(name, `must be a whole number of at least ${least}`);
  return Math.min(number, most);
}

export function invalid(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', `${field} ${reason}`, { details: [{ field, reason }] });
}
