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
  /** Takes note of what a tracker with the same values has collected of other rows. */
  merge(other: Boundary): void;
  /** A tracker with the same values that has collected nothing yet. */
  fork(): BoundaryTracker;
}

/**
 * Without a key equal rows are told apart by counting: the second one is remembered as `<hash>~2`, and so on. Reading the
 * same rows again names them alike, so that noting a row twice changes nothing.
 */
interface Group {
  value: string | null;
  readonly ids: Set<string>;
  overflow: boolean;
  /** How often each row without a key was noted; undefined where rows have keys. */
  readonly noted: Map<string, number> | undefined;
}

interface Start {
  readonly values: CursorValues;
  readonly boundary?: Boundary;
  /** The rows to come are others than those of the boundary. */
  readonly adds?: boolean;
}

function createGroup(selection: StreamSelection, start: Start, which: 'primary' | 'fallback'): Group {
  const ids = start.boundary?.[which] ?? [];
  const isCounted = selection.primaryKey.length === 0;
  return {
    value: start.values[which],
    ids: new Set(ids),
    overflow: start.boundary?.overflow === true,
    noted: isCounted ? countBases(start.adds === true ? ids : []) : undefined,
  };
}

/** Continues from stored values and boundary. */
export function trackBoundary(selection: StreamSelection, cursor: Cursor, start: Start): BoundaryTracker {
  const index = (name: string): number => selection.columns.findIndex((column) => column.name === name);
  const primaryAt = index(cursor.column);
  const fallbackAt = cursor.fallback === undefined ? -1 : index(cursor.fallback);
  const primary = createGroup(selection, start, 'primary');
  const fallback = createGroup(selection, start, 'fallback');
  const met: Group['noted'] = primary.noted && new Map<string, number>();
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
        const base = group.overflow ? '' : rowHash(identity, row, group.value!);
        // Rows whose hash is not there are not counted either: there may be any number of them.
        const isWritten = group.overflow || (group.ids.has(base) && group.ids.has(nameRow(met, base)));
        if (isWritten) marks[row] = 0;
      }
      return marks;
    },
    collect(batch, identity) {
      eachTie(batch, groupsOf(batch), {
        primary,
        fallback,
        visit(row, group) {
          if (!group.overflow) note(group, rowHash(identity, row, group.value!));
        },
      });
    },
    merge(other) {
      join(primary, other.primary, other.overflow);
      join(fallback, other.fallback, other.overflow);
    },
    fork() {
      return trackBoundary(selection, cursor, { values: this.values });
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
  group.noted?.clear();
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
  for (const id of ids) if (!group.overflow) note(group, baseOf(id));
  if (overflow === true) overrun(group);
}

function note(group: Group, base: string): void {
  group.ids.add(nameRow(group.noted, base));
  if (group.ids.size > BOUNDARY_LIMIT) overrun(group);
}

function overrun(group: Group): void {
  group.overflow = true;
  group.ids.clear();
  group.noted?.clear();
}

/** The name of one more row with this hash: the first, and each one with a key, bears the hash alone. */
function nameRow(counts: Group['noted'], base: string): string {
  if (counts === undefined) return base;
  const count = (counts.get(base) ?? 0) + 1;
  counts.set(base, count);
  return count === 1 ? base : `${base}~${count}`;
}

const baseOf = (id: string): string => id.split('~', 1)[0]!;

function countBases(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) nameRow(counts, baseOf(id));
  return counts;
}

/** 66 bits: among 100 000 rows a false match is out of the question. Timestamps are canonical texts, so spelled alike. */
function rowHash(identity: ColumnVector, row: number, value: string): string {
  return hash('sha1', `${textAt(identity, row)}\n${value}`, 'base64').slice(0, 11);
}
