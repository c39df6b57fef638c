import { Failure } from '../../../errors.ts';
import type { ChangeStream, ReadChanges } from '../../kit/index.ts';
import type { Query } from '../catalog.ts';
import { ROWS, type LogEvent, type RowsForm } from './events.ts';
import { readImages } from './images.ts';
import type { Shapes } from './shapes.ts';
import type { Starts } from './starts.ts';
import { tableNumber, type TableMap } from './table-map.ts';
import { openTable, type ChangeTable } from './tables.ts';
import type { LogCursor } from './transactions.ts';

type Waits = Iterable<Promise<unknown>>;

/** Reads the events that hold rows; hands batches to the sink when they are full. */
export interface RowReader {
  /** Whether the table with this number was met since the numbers were last forgotten. */
  knows(table: number): boolean;
  /** A table map: the rows that follow are of this table. */
  meet(table: number, map: TableMap): Waits;
  /** A file begins, or a table was altered: numbers and shapes may mean something else. */
  forget(): void;
  read(event: LogEvent, inflate: (packed: Buffer) => Buffer): Waits;
  /** Hands over all that is held. */
  flush(): Promise<void>;
}

interface RowWork {
  readonly changes: ReadChanges;
  readonly query: Query;
  readonly shapes: Shapes;
}

export function createRowReader(work: RowWork, cursor: LogCursor, starts: Starts): RowReader {
  const { changes } = work;
  const tables = new Map<number, ChangeTable | undefined>();
  /** What rows of a stream are put into, by its index. */
  const open = new Map<number, ChangeTable>();
  const indexes = new Map(changes.streams.map((stream, index) => [keyOf(stream), index]));

  const give = (table: ChangeTable): Promise<void> => giveBatch(table, changes.sink);
  let held = 0;
  async function flush(): Promise<void> {
    held = 0;
    for (const table of open.values()) await give(table);
  }
  async function meet(number: number, map: TableMap, index: number): Promise<void> {
    const stream = changes.streams[index] as ChangeStream;
    const limits = { rows: changes.batchRows, bytes: changes.batchBytes };
    const table = await openTable({ index, stream, map, query: work.query, shapes: work.shapes, limits });
    if (typeof table === 'string') {
      throw new Failure(
        'object_missing',
        `older changes of "${map.namespace}.${map.name}" cannot be read any more: ${table}. Clear its destination, so that it is loaded anew`,
      );
    }
    tables.set(number, table);
    await turnTo(table);
  }
  /** What came in another shape, or under another number, goes first. */
  async function turnTo(table: ChangeTable): Promise<void> {
    const other = open.get(table.index);
    if (other !== undefined) await give(other);
    open.set(table.index, table);
  }

  return {
    knows: (number) => tables.has(number),
    *meet(number, map) {
      const index = indexes.get(`${map.namespace}\n${map.name}`);
      // Rows that are known already may be of a shape that nobody remembers.
      if (index === undefined) tables.set(number, undefined);
      else if (!starts.isKnown(index)) yield meet(number, map, index);
    },
    forget() {
      tables.clear();
    },
    *read(event, inflate) {
      const table = tables.get(tableNumber(event));
      if (!table || starts.isKnown(table.index)) return;
      // Transactions that were open while the server's tables were flushed go on with the older number.
      if (open.get(table.index) !== table) yield turnTo(table);
      cursor.hasRows = true;
      const form = ROWS[event.type] as RowsForm;
      held += event.end - event.from;
      yield* readImages({ table, event, form, cursor, give, inflate, work });
      // Each table is bounded by itself; this bounds all of them together.
      if (held > 2 * changes.batchBytes) yield flush();
    },
    flush,
  };
}

const keyOf = ({ selection }: ChangeStream): string => `${selection.namespace}\n${selection.name}`;

/** Hands what is held of a table to the sink, and begins anew. */
async function giveBatch(table: ChangeTable, sink: ReadChanges['sink']): Promise<void> {
  const { decoder, marks, stream, index } = table;
  const { rows } = decoder;
  if (rows === 0) return;
  const columns = decoder.vectors().slice(0, stream.selection.columns.length);
  await sink({
    stream: index,
    batch: { rows, columns },
    operations: marks.operations(),
    committedAt: marks.committedAt(rows),
    places: marks.places(rows),
  });
  decoder.reset();
  marks.reset();
}
