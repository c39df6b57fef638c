import { parse, type CsvError, type InfoRecord, type Parser } from 'csv-parse';
import { Failure } from '../errors.ts';
import { demandUtf8, LONGEST_RECORD } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import type { RecordTaker } from './rows.ts';

export interface CsvSettings {
  /** Undefined = a comma, or a tab in files that are called `.tsv`. */
  readonly delimiter: string | undefined;
  readonly hasHeader: boolean;
  readonly skipRows: number;
  /** Empty = nothing is quoted. */
  readonly quote: string;
}

export interface CsvFile {
  readonly location: string;
  readonly settings: CsvSettings;
  /** After each piece of the file, when records may be waiting to be handed on. */
  readonly drain?: () => Promise<void>;
  /** Asked at the end: true when the file may end in the middle of a record, which is not taken then. */
  readonly isCut?: () => boolean;
}

/** More columns than this are a file that is no table. */
const MOST_COLUMNS = 10_000;

/**
 * Reads a csv file record by record (RFC 4180; LF, CRLF or CR; BOM; blank lines are skipped). An empty field is null. A
 * record with other than the header's number of fields is refused, except for empty fields beyond it.
 */
export async function readCsv(bytes: Bytes, file: CsvFile, taker: RecordTaker): Promise<void> {
  const { settings, location } = file;
  const records = takeRecords(settings, taker);
  const parser = parse({
    delimiter: settings.delimiter ?? (/\.(tsv|tab)(\.|$)/i.test(location) ? '\t' : ','),
    quote: settings.quote === '' ? false : settings.quote,
    escape: settings.quote === '' ? null : settings.quote,
    bom: true,
    from_line: settings.skipRows + 1,
    max_record_size: LONGEST_RECORD,
    relax_column_count: true,
    skip_empty_lines: true,
    on_record: (record: string[], { lines }: InfoRecord & { lines: number }) => {
      records.take(record, lines);
      return null;
    },
  });
  // Failures arrive where the piece is written; without a listener they would end the process as well.
  parser.on('error', () => {});
  parser.resume();
  try {
    for await (const piece of demandUtf8(bytes, location)) {
      await write(parser, piece);
      await file.drain?.();
      if (records.done) return;
    }
    if (file.isCut?.() !== true) await end(parser);
    await file.drain?.();
  } catch (error) {
    throw explain(error, location);
  } finally {
    parser.destroy();
  }
}

function takeRecords(settings: CsvSettings, taker: RecordTaker) {
  let slots: number[] | undefined;
  let done = false;
  const begin = (names: readonly string[]): number[] => (slots = uniqueHeader(names).map((name) => taker.slotOf(name)));
  return {
    get done() {
      return done;
    },
    take(record: readonly string[], line: number): void {
      if (done) return;
      if (slots === undefined) {
        if (record.length > MOST_COLUMNS) throw new Failure('value_refused', `a header of ${record.length} columns`);
        if (settings.hasHeader) return void begin(record);
        begin(record.map((_, at) => `column_${at + 1}`));
      }
      const places = slots!;
      if (record.length !== places.length && !isPadded(record, places.length)) {
        const reason = `the record has ${record.length} fields, the header ${places.length}`;
        done = !taker.refuse(reason, line);
        return;
      }
      for (let at = 0; at < places.length; at++) {
        const slot = places[at]!;
        const text = record[at]!;
        if (slot >= 0 && text !== '') taker.texts[slot] = text;
      }
      done = !taker.take(line);
    },
  };
}

/** Empty fields after the last column say nothing. */
function isPadded(record: readonly string[], columns: number): boolean {
  return record.length > columns && record.slice(columns).every((field) => field === '');
}

/** Names as they stand, without blanks around them; empty ones are numbered, repeated ones get `_2`, `_3`, … */
export function uniqueHeader(fields: readonly string[]): string[] {
  const given = fields.map((field, at) => field.trim() || `column_${at + 1}`);
  const taken = new Set(given);
  const seen = new Set<string>();
  return given.map((name) => {
    let unique = name;
    for (let n = 2; seen.has(unique) || (unique !== name && taken.has(unique)); n++) unique = `${name}_${n}`;
    seen.add(unique);
    return unique;
  });
}

function write(parser: Parser, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}

function end(parser: Parser): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.once('error', reject);
    parser.end(resolve);
  });
}

function explain(error: unknown, location: string): unknown {
  const { code, lines } = error as Partial<CsvError> & { lines?: number };
  if (error instanceof Failure || typeof code !== 'string' || !code.startsWith('CSV_')) return error;
  const where = lines === undefined ? location : `${location}:${lines}`;
  return new Failure('value_refused', `${where}: ${CAUSES[code] ?? (error as Error).message}`, { cause: error });
}

const CAUSES: Readonly<Record<string, string>> = {
  CSV_MAX_RECORD_SIZE: `the record is longer than ${LONGEST_RECORD >> 20} MiB; is a quote missing?`,
  CSV_QUOTE_NOT_CLOSED: 'the quote that opens here is not closed before the file ends',
  CSV_INVALID_CLOSING_QUOTE: 'after a closing quote there is something else than a delimiter or a line break',
  CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE:
    'after a closing quote there is something else than a delimiter or a line break',
  INVALID_OPENING_QUOTE: 'a quote stands within a field that does not begin with one',
};
