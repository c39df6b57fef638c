import { Failure, toFailure } from '../../errors.ts';
import type { SqlResult } from './work.ts';

export const MOST_ROWS = 1000;
/** The engine keeps results of up to 1 MiB. */
const MOST_BYTES = 900 * 1024;

/** Gathers what the statements answer; memory is bounded whatever they do. */
export interface ResultBuilder {
  /** A statement answers rows from now on: those of an earlier one are forgotten. */
  beginRows(): void;
  addRow(columns: readonly string[], values: readonly unknown[]): void;
  endStatement(rowsAffected: number): void;
  result(): SqlResult;
}

export function createResult(): ResultBuilder {
  const statements: SqlResult['statements'][number][] = [];
  let rows: Record<string, unknown>[] = [];
  let bytes = 0;
  let isTruncated = false;
  return {
    beginRows() {
      rows = [];
      bytes = 0;
      isTruncated = false;
    },
    addRow(columns, values) {
      if (isTruncated) return;
      const row = Object.fromEntries(columns.map((name, at) => [name, values[at] ?? null]));
      bytes += Buffer.byteLength(JSON.stringify(row));
      isTruncated = rows.length >= MOST_ROWS || bytes > MOST_BYTES;
      if (!isTruncated) rows.push(row);
    },
    endStatement: (rowsAffected) => void statements.push({ index: statements.length + 1, rowsAffected }),
    result: () => ({ statements, rows, ...(isTruncated && { truncated: true }) }),
  };
}

const LONGEST_MESSAGE = 4000;

/** Names the statement, counted from 1. What a database says against it is the user's to mend. */
export function failureAt(index: number, thrown: unknown): Failure {
  const failure = toFailure(thrown);
  const isOfDatabase = failure.kind === 'internal';
  const kind = isOfDatabase ? 'bad_request' : failure.kind;
  const advice = isOfDatabase ? 'Correct the statement and start it again.' : failure.advice;
  const message =
    failure.message.length > LONGEST_MESSAGE ? `${failure.message.slice(0, LONGEST_MESSAGE)}…` : failure.message;
  return new Failure(kind, `Statement ${index}: ${message}`, { advice, cause: thrown });
}
