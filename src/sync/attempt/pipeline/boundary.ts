import { hash } from 'node:crypto';
import type { ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import { isPresent } from '../../../columns/index.ts';
import type { Cursor, CursorValues, StreamSelection } from '../../../connectors/kit/index.ts';
import { textAt } from '../decorate/index.ts';
import type { Boundary } from './checkpoint.ts';
import { createMatcher } from './match.ts';

/** More rows than this at one cursor value are not remembered one by one. */
export const BOUNDARY_LIMIT = 100_000;

/** Remembers which rows hold the last cursor value, so that reading from that value again does not write them twice. */
export interface BoundaryTracker {
  readonly boundary: Boundary;
  readonly values: CursorValues;
  /** Marks (1 = keep) the rows that were not written yet. */
  markNew(batch: ColumnBatch, identity: ColumnVector): Uint8Array;
  /** Takes note of rows that come ordered by the cursor; values and boundary move on with them. */
  advance(batch: ColumnBatch, identity: ColumnVector): void;
  /** Takes note of rows in any order, of which none lies beyond the values. */
  collect(batch: ColumnBatch, identity: ColumnVector): void;
  /** Takes note of what a tracker with the same values has collected elsewhere. */
  merge(other: Boundary): void;
}

interface Group {
  value: string | null;
  readonly ids: Set<string>;
  overflow: boolean;
}

/** Continues from stored values and boundary. */
export function trackBoundary(
  selection: StreamSelection,
  cursor: Cursor,
  start: { readonly values: CursorValues; readonly boundary?: Boundary },
): BoundaryTracker {
  const index = (name: string): number => selection.columns.findIndex((column) => column.name === name);
  const primaryAt = index(cursor.column);
  const fallbackAt = cursor.fallback === undefined ? -1 : index(cursor.fallback);
  const stored = start.boundary;
  const overflow = stored?.overflow === true;
  const primary: Group = { value: start.values.primary, ids: new Set(stored?.primary), overflow };
  const fallback: Group = { value: start.values.fallback, ids: new Set(stored?.fallback), overflow };
  const groupsOf = (batch: ColumnBatch): RowGroups => ({
    primary: batch.columns[primaryAt]!,
    fallback: fallbackAt < 0 ? undefined : batch.columns[fallbackAt]!,
  });
  return {
    get boundary() {
      const lost = primary.overflow || fallback.overflow;
      return { primary: [...primary.ids], fallback: [...fallback.ids], ...(lost ? { overflow: true } : {}) };
    },
    get values() {
      return { primary: primary.value, fallback: fallback.value };
    },
    markNew(batch, identity) {
      const marks = new Uint8Array(batch.rows).fill(1);
      eachTie(batch, groupsOf(batch), { primary, fallback, visit });
      function visit(row: number, group: Group): void {
        if (group.overflow || group.ids.has(rowHash(identity, row, group.value!))) marks[row] = 0;
      }
      return marks;
    },
    collect(batch, identity) {
      eachTie(batch, groupsOf(batch), {
        primary,
        fallback,
        visit(row, group) {
          if (!group.overflow) remember(group, rowHash(identity, row, group.value!));
        },
      });
    },
    merge(other) {
      join(primary, other.primary, other.overflow);
      join(fallback, other.fallback, other.overflow);
    },
    advance(batch, identity) {
      const groups = groupsOf(batch);
      const last = { primary: -1, fallback: -1 };
      eachRow(batch.rows, groups, (_, index_, which) => void (last[which] = index_));
      moveOn(primary, groups.primary, last.primary);
      if (groups.fallback) moveOn(fallback, groups.fallback, last.fallback);
      // Only rows at the new last value are hashed: all others are behind it for good.
      this.collect(batch, identity);
    },
  };
}

/** The group's value becomes that of the batch's last row; what was remembered of an earlier value goes. */
function moveOn(group: Group, vector: ColumnVector, index: number): void {
  if (index < 0) return;
  const text = textAt(vector, index);
  if (text === group.value) return;
  group.value = text;
  group.ids.clear();
  group.overflow = false;
}

interface RowGroups {
  readonly primary: ColumnVector;
  readonly fallback: ColumnVector | undefined;
}

type Visit = (row: number, index: number, which: 'primary' | 'fallback') => void;

/** Each row with the value index of its primary cursor, or of its fallback where the primary is null. */
function eachRow(rows: number, { primary, fallback }: RowGroups, visit: Visit): void {
  let first = 0;
  let second = 0;
  for (let row = 0; row < rows; row++) {
    const hasPrimary = isPresent(primary, row);
    const hasFallback = fallback !== undefined && isPresent(fallback, row);
    if (hasPrimary) visit(row, primary.constant ? 0 : first, 'primary');
    else if (hasFallback) visit(row, fallback.constant ? 0 : second, 'fallback');
    if (hasPrimary) first++;
    if (hasFallback) second++;
  }
}

function eachTie(
  batch: ColumnBatch,
  groups: RowGroups,
  ties: { primary: Group; fallback: Group; visit: (row: number, group: Group) => void },
): void {
  const primary = createMatcher(groups.primary, ties.primary.value);
  const fallback = createMatcher(groups.fallback, ties.fallback.value);
  eachRow(batch.rows, groups, (row, index, which) => {
    if (which === 'primary' ? primary(index) : fallback(index)) ties.visit(row, ties[which]);
  });
}

function join(group: Group, ids: readonly string[], overflow: boolean | undefined): void {
  for (const id of ids) if (!group.overflow) remember(group, id);
  if (overflow !== true) return;
  group.overflow = true;
  group.ids.clear();
}

function remember(group: Group, id: string): void {
  group.ids.add(id);
  if (group.ids.size <= BOUNDARY_LIMIT) return;
  group.overflow = true;
  group.ids.clear();
}

/** 66 bits: among 100 000 rows a false match is out of the question. Timestamps are canonical texts, so spelled alike. */
function rowHash(identity: ColumnVector, row: number, value: string): string {
  return hash('sha1', `${textAt(identity, row)}\n${value}`, 'base64').slice(0, 11);
}
