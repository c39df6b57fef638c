import type { Column, ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import { OPERATION } from '../../../connectors/kit/index.ts';
import type { ChangeBatch } from '../../../connectors/kit/index.ts';
import type { World } from '../../../world.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { createDecorator } from './added.ts';
import type { Decorated } from './added.ts';
import { keepRows } from './rows.ts';

const LETTERS = new Uint8Array(4);
LETTERS[OPERATION.inserted] = 'c'.charCodeAt(0);
LETTERS[OPERATION.updated] = 'u'.charCodeAt(0);
LETTERS[OPERATION.deleted] = 'd'.charCodeAt(0);

const NO_BITS = new Uint8Array(0);

export type Changes = Omit<ChangeBatch, 'stream'>;

/** The changes whose mark is 1, with `batch` in place of their rows. */
export function keepChanges(changes: Changes, batch: ColumnBatch, marks: Uint8Array): Changes {
  const whole = { rows: changes.batch.rows, columns: [changes.committedAt, ...changes.places] };
  const [committedAt, ...places] = keepRows(whole, marks).columns;
  const operations = changes.operations.subarray(0, changes.batch.rows).filter((_, row) => marks[row] === 1);
  return { batch, operations, committedAt: committedAt!, places };
}

/**
 * Turns the change batches of one stream into table batches: `_op_type`, commit time and place in the log row by row
 * (contract 7.5). Buffers are reused by the next call.
 */
export function createChangeDecorator(stream: ResolvedStream, world: World): (changes: Changes) => Decorated {
  const decorator = createDecorator(stream, { operation: 'u', world });
  const operationAt = stream.tableColumns.findIndex((column) => column.name === '_op_type');
  return ({ batch, operations, committedAt, places }) => {
    const { batch: decorated, identity } = decorator.decorate(batch);
    const columns = decorated.columns.slice(0, operationAt);
    const log = [committedAt, ...places].map((vector, at) => ({ ...vector, column: stream.logColumns[at]! }));
    columns.push(operationVector(stream.tableColumns[operationAt]!, operations, batch.rows), ...log);
    return { batch: { rows: batch.rows, columns }, identity };
  };
}

function operationVector(column: Column, operations: Uint8Array, rows: number): ColumnVector {
  const heap = new Uint8Array(rows);
  const values = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    heap[row] = LETTERS[operations[row]!]!;
    values[row + 1] = row + 1;
  }
  return { column, values, heap, validity: NO_BITS, nulls: 0, count: rows };
}
