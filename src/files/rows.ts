import type { ColumnBatch, RowExcerpt } from '../columns/index.ts';
import { EXCERPT_BYTES, timestampText } from '../columns/index.ts';
import { createCells } from './cells.ts';
import type { Cells } from './cells.ts';
import type { FileColumn, Reading } from './shapes.ts';
import { TIME_COLUMN } from './shapes.ts';

/** How a value is spelled in its file; JSON tells texts from numbers, csv does not. */
export const SPELLING = { plain: 0, text: 1, number: 2, word: 3, nested: 4 } as const;

/** Takes the records of text files, one at a time: the reader fills `texts` by slot, then calls `take`. */
export interface RecordTaker {
  /** Where values of this name go; -1 when nobody wants them. */
  slotOf(name: string): number;
  /** True when `slotOf` would find the name without making anything new. */
  knows(name: string): boolean;
  readonly texts: (string | null)[];
  /** One of `SPELLING` for each slot. */
  readonly spellings: number[];
  /** Takes the record that `texts` holds and clears it; `line` or row for sentences. False = read no further. */
  take(line: number): boolean;
  /** A record that is no record. */
  refuse(reason: string, line: number): boolean;
}

/** The rows of one read, collected into batches. */
export interface RowCollector extends RecordTaker {
  /** The rows that follow come from this file. */
  enter(file: { readonly location: string; readonly modified: bigint }): void;
  /** Hands full batches to the sink. Called between the pieces of a file: the reader waits here, and only here. */
  drain(): Promise<void>;
  /** Hands over what is left. */
  finish(): Promise<void>;
  /** Rows taken or refused since `enter`. */
  readonly rows: number;
  /** Names that no wanted or known column has, each with the file in which it stood first. */
  readonly strangers: ReadonlyMap<string, string>;
}

export interface Collecting {
  readonly reading: Reading;
  /** Names of the stream's columns, also of those that are not read. */
  readonly known: readonly string[];
}

const MOST_STRANGERS = 100;

/** Batches never exceed the limits, apart from a single row that does by itself. */
export function collectRows(columns: readonly FileColumn[], { reading, known }: Collecting): RowCollector {
  const slots = new Map(columns.map((column, at) => [column.name, at]));
  const timeAt = slots.get(TIME_COLUMN) ?? -1;
  slots.delete(TIME_COLUMN);
  const familiar = new Set([TIME_COLUMN, ...known]);
  const strangers = new Map<string, string>();
  const texts: (string | null)[] = columns.map(() => null);
  const shelves = createShelves(columns, reading);
  const values = (): RowExcerpt =>
    Object.fromEntries(columns.map(({ name }, at) => [name, texts[at]?.slice(0, EXCERPT_BYTES) ?? null]));
  let location = '';
  let time: string | null = null;
  let rows = 0;
  return {
    texts,
    spellings: columns.map(() => SPELLING.plain),
    strangers,
    get rows() {
      return rows;
    },
    knows: (name) => slots.has(name),
    slotOf(name) {
      const slot = slots.get(name);
      if (slot !== undefined) return slot;
      const strange = !familiar.has(name) && strangers.size < MOST_STRANGERS && !strangers.has(name);
      if (strange) strangers.set(name, location);
      return -1;
    },
    take(line) {
      rows++;
      if (timeAt >= 0) texts[timeAt] = time;
      const refused = shelves.put(texts);
      if (refused) reading.refuse({ ...refused, key: `${location}:${line}`, values });
      texts.fill(null);
      return true;
    },
    refuse(reason, line) {
      rows++;
      texts.fill(null);
      reading.refuse({ column: '', reason, key: `${location}:${line}` });
      return true;
    },
    enter(file) {
      location = file.location;
      time = timestampText(file.modified);
      rows = 0;
    },
    drain: shelves.drain,
    finish: shelves.finish,
  };
}

/** The cells of one batch while it fills. */
interface Shelf {
  readonly cells: readonly Cells[];
  rows: number;
  bytes: number;
}

interface Shelves {
  /** Takes a row; answers the column whose text does not fit, and then the row is not taken. */
  put(texts: readonly (string | null)[]): { column: string; reason: string } | undefined;
  drain(): Promise<void>;
  finish(): Promise<void>;
}

const ROW_BYTES = 8;

/** One shelf fills while full ones wait for the sink; those that the sink has answered are used again. */
function createShelves(columns: readonly FileColumn[], reading: Reading): Shelves {
  const newShelf = (): Shelf => ({ cells: columns.map(({ column }) => createCells(column)), rows: 0, bytes: 0 });
  const spare: Shelf[] = [];
  const full: Shelf[] = [];
  let shelf = newShelf();
  function turnOver(): void {
    full.push(shelf);
    shelf = spare.pop() ?? newShelf();
  }
  async function drain(): Promise<void> {
    for (let next = full.shift(); next; next = full.shift()) {
      reading.signal.throwIfAborted();
      await reading.sink(batchOf(next));
      for (const cells of next.cells) cells.reset();
      next.rows = 0;
      next.bytes = 0;
      spare.push(next);
    }
  }
  return {
    put(texts) {
      const { cells } = shelf;
      let bytes = ROW_BYTES;
      for (let at = 0; at < cells.length; at++) {
        const text = texts[at]!;
        const reason = cells[at]!.put(text);
        if (reason !== undefined) {
          for (let before = 0; before < at; before++) cells[before]!.takeBack();
          return { column: columns[at]!.name, reason };
        }
        if (text !== null) bytes += text.length;
      }
      shelf.rows++;
      shelf.bytes += bytes;
      if (shelf.rows >= reading.batchRows || shelf.bytes >= reading.batchBytes) turnOver();
      return undefined;
    },
    drain,
    async finish() {
      if (shelf.rows > 0) turnOver();
      await drain();
    },
  };
}

function batchOf({ cells, rows }: Shelf): ColumnBatch {
  return { rows, columns: cells.map((each) => each.vector()) };
}
