import type { ColumnType } from '../columns/index.ts';
import { Failure } from '../errors.ts';
import { SPELLING } from './rows.ts';
import type { RecordTaker } from './rows.ts';
import type { FileColumn } from './shapes.ts';
import { TIME_COLUMN } from './shapes.ts';
import { fitsLong, isInteger, isNumber, parseTime, significantDigits } from './values.ts';

/** What the values of one column were found to be; several may hold at once. */
interface Traits {
  boolean: boolean;
  integer: boolean;
  /** An integer that a double cannot hold. */
  wide: boolean;
  fraction: boolean;
  time: boolean;
  /** Anything else, and numbers that no type holds exactly. */
  text: boolean;
  nested: boolean;
}

/** Learns the columns of a stream from some of its records. */
export interface Guess extends RecordTaker {
  /** A file begins: at most so many of its records, and about so much of its text, are looked at. */
  enter(records: number, characters: number): void;
  columns(): FileColumn[];
}

const MOST_COLUMNS = 10_000;
/** Integers up to so many digits, and fractions of up to so many, survive a double. */
const DOUBLE_DIGITS = { integer: 15, fraction: 17 };

export function guessColumns(): Guess {
  const names: string[] = [];
  const slots = new Map<string, number>();
  const texts: (string | null)[] = [];
  const spellings: number[] = [];
  const traits: Traits[] = [];
  let left = 0;
  let room = 0;
  return {
    texts,
    spellings,
    knows: (name) => slots.has(name),
    slotOf(name) {
      // A column of the file that is called like the one we add gives way.
      if (name === TIME_COLUMN) return -1;
      const known = slots.get(name);
      if (known !== undefined) return known;
      if (names.length === MOST_COLUMNS) {
        throw new Failure('value_refused', `more than ${MOST_COLUMNS} names of columns; are some of them data?`);
      }
      slots.set(name, names.length);
      texts.push(null);
      spellings.push(SPELLING.plain);
      traits.push(noTraits());
      return names.push(name) - 1;
    },
    take() {
      for (let slot = 0; slot < texts.length; slot++) {
        const text = texts[slot]!;
        if (text === null) continue;
        observe(traits[slot]!, text, spellings[slot]!);
        room -= text.length;
        texts[slot] = null;
      }
      return --left > 0 && room > 0;
    },
    refuse() {
      texts.fill(null);
      return --left > 0;
    },
    enter(records, characters) {
      left = records;
      room = characters;
    },
    columns: () =>
      names.map((name, slot) => {
        const { type, word } = conclude(traits[slot]!);
        return { name, sourceType: word, column: { name, type, nullable: true }, orderable: false };
      }),
  };
}

const noTraits = (): Traits => ({
  boolean: false,
  integer: false,
  wide: false,
  fraction: false,
  time: false,
  text: false,
  nested: false,
});

function observe(traits: Traits, text: string, spelling: number): void {
  if (spelling === SPELLING.nested) traits.nested = true;
  else if (spelling === SPELLING.word) traits.boolean = true;
  else if (spelling === SPELLING.number) observeNumber(traits, text);
  else if (parseTime(text) !== undefined) traits.time = true;
  else if (spelling === SPELLING.text) traits.text = true;
  else if (/^(?:true|false)$/i.test(text)) traits.boolean = true;
  else if (isNumber(text)) observeNumber(traits, text);
  else traits.text = true;
}

function observeNumber(traits: Traits, text: string): void {
  if (isInteger(text)) {
    traits.integer = true;
    if (!fitsLong(text)) traits.text = true;
    else if (significantDigits(text) > DOUBLE_DIGITS.integer) traits.wide = true;
  } else if (significantDigits(text) > DOUBLE_DIGITS.fraction || !Number.isFinite(Number(text))) traits.text = true;
  else traits.fraction = true;
}

/** The word for a column of which only nulls were seen. */
const NOTHING = 'null';

/** The narrowest type that holds all: boolean < integer < number < text (OLake contract, 5.4 and 7.6). */
function conclude(traits: Traits): { type: ColumnType; word: string } {
  const { boolean, integer, wide, fraction, time, text, nested } = traits;
  const numeric = integer || fraction;
  if (nested) return { type: { kind: 'string' }, word: 'json' };
  if (text || (time && (numeric || boolean)) || (fraction && wide)) return { type: { kind: 'string' }, word: 'string' };
  if (time) return { type: { kind: 'timestamp' }, word: 'timestamp' };
  if (fraction) return { type: { kind: 'double' }, word: 'number' };
  if (integer) return { type: { kind: 'long' }, word: 'integer' };
  if (boolean) return { type: { kind: 'boolean' }, word: 'boolean' };
  return { type: { kind: 'string' }, word: NOTHING };
}

/** One list of columns for files of one stream; types become the narrowest that holds those of every file. */
export function uniteColumns(lists: readonly (readonly FileColumn[])[]): FileColumn[] {
  const united = new Map<string, FileColumn>();
  for (const column of lists.flat()) {
    const before = united.get(column.name);
    if (!before || before.sourceType === NOTHING) united.set(column.name, column);
    else if (column.sourceType !== NOTHING) {
      const type = widerOf(before.column.type, column.column.type);
      const sourceType = before.sourceType === column.sourceType ? column.sourceType : type.kind;
      united.set(column.name, { ...before, sourceType, column: { ...before.column, type } });
    }
  }
  return [...united.values()];
}

const RANK: Readonly<Partial<Record<ColumnType['kind'], number>>> = {
  boolean: 0,
  int: 1,
  long: 2,
  float: 3,
  double: 4,
};

function widerOf(one: ColumnType, other: ColumnType): ColumnType {
  if (one.kind === other.kind && one.kind !== 'decimal') return one;
  if (one.kind === 'decimal' || other.kind === 'decimal') return widerDecimal(one, other);
  const [low, high] = [one, other].map(({ kind }) => RANK[kind] ?? -1).toSorted((a, b) => a - b) as [number, number];
  if (low < 0) return { kind: 'string' };
  // A 32-bit float does not hold every integer.
  if (high === RANK.float && low > 0) return { kind: 'double' };
  return RANK[one.kind] === high ? one : other;
}

const INTEGER_DIGITS: Readonly<Partial<Record<ColumnType['kind'], number>>> = { boolean: 1, int: 10, long: 19 };

function widerDecimal(one: ColumnType, other: ColumnType): ColumnType {
  const [a, b] = [asDecimal(one), asDecimal(other)];
  if (!a || !b) return { kind: 'string' };
  const scale = Math.max(a.scale, b.scale);
  const precision = scale + Math.max(a.precision - a.scale, b.precision - b.scale);
  return precision > 38 ? { kind: 'string' } : { kind: 'decimal', precision, scale };
}

function asDecimal(type: ColumnType): { precision: number; scale: number } | undefined {
  if (type.kind === 'decimal') return type;
  const digits = INTEGER_DIGITS[type.kind];
  return digits === undefined ? undefined : { precision: digits, scale: 0 };
}
