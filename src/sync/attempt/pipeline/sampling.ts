import type { ColumnBatch } from '../../../columns/index.ts';
import type { BatchPlace, RowPlace, StreamSelection } from '../../../connectors/kit/index.ts';
import type { World } from '../../../world.ts';
import { bytesOfRow, textOfRow } from '../decorate/index.ts';

/** A written row, remembered to be read back. */
export interface Sample {
  readonly place: RowPlace;
  /** Canonical texts of the source's key; empty for streams without one. */
  readonly key: readonly string[];
  /** Canonical texts of the table row as it was handed to the writer. */
  readonly written: readonly (string | null)[];
}

export interface Sampler {
  /** Which rows of the next batch are sampled: decided and copied before the writer takes the buffers. */
  take(source: ColumnBatch, table: ColumnBatch): Picked | undefined;
  /** Keeps the picked rows once the writer has said where the batch went. */
  keep(picked: Picked | undefined, place: BatchPlace): void;
  /** Counts so many batches that were written elsewhere, of which these rows were picked there. */
  absorb(samples: readonly Sample[], batches: number): void;
  /** How many batches were seen. */
  readonly batches: number;
  /** For rows whose files were dropped. */
  forget(): void;
  /** At most `size` rows. */
  readonly samples: readonly Sample[];
}

export interface Picked {
  readonly slot: number;
  readonly rows: readonly {
    readonly row: number;
    readonly key: readonly string[];
    readonly written: Sample['written'];
  }[];
}

/** Rows come from so many batches: reading a row back costs reading its row group. */
const BATCHES = 2;
/** Texts of this size are kept of one batch: each row is held three times while it is compared. */
const BATCH_BYTES = 4 * 1024 * 1024;

/** A sample of all rows: batches by reservoir, so that each batch is as likely as any other, and random rows of each. */
export function createSampler(selection: StreamSelection, options: { size: number; world: World }): Sampler {
  const { size, world } = options;
  const kept: Sample[][] = [];
  const keyAt = selection.primaryKey.map((name) => selection.columns.findIndex((column) => column.name === name));
  const below = (limit: number): number => Math.floor((world.random(6).readUIntBE(0, 6) / 2 ** 48) * limit);
  let seen = 0;
  const nextSlot = (): number => {
    const slot = seen < BATCHES ? seen : below(seen + 1);
    seen++;
    return slot;
  };
  return {
    get batches() {
      return seen;
    },
    absorb(samples, batches) {
      const slots = Array.from({ length: batches }, nextSlot).filter((slot) => slot < BATCHES);
      if (slots.length > 0 && samples.length > 0) kept[slots[0]!] = [...samples];
    },
    get samples() {
      const quota = Math.ceil(size / Math.max(1, kept.length));
      return kept.flatMap((samples) => samples.slice(0, quota)).slice(0, size);
    },
    take(source, table) {
      const slot = nextSlot();
      if (slot >= BATCHES) return undefined;
      const picked = withinBytes(pickRows(source.rows, size, below), table);
      const rows = picked.map((row) => ({
        row,
        key: keyAt.map((at) => textOfRow(source.columns[at]!, row) ?? ''),
        written: table.columns.map((vector) => textOfRow(vector, row)),
      }));
      return { slot, rows };
    },
    forget() {
      kept.length = 0;
      seen = 0;
    },
    keep(picked, place) {
      if (!picked) return;
      kept[picked.slot] = picked.rows.map(({ row, key, written }) => ({
        place: place.placeOf?.(row) ?? { file: place.file, row: place.firstRow + row },
        key,
        written,
      }));
    },
  };
}

/** Leaves out rows that would take too much together with those before them. */
function withinBytes(rows: readonly number[], { columns }: ColumnBatch): number[] {
  let left = BATCH_BYTES;
  return rows.filter((row) => {
    const bytes = columns.reduce((sum, vector) => sum + bytesOfRow(vector, row), 0);
    if (bytes > left) return false;
    left -= bytes;
    return true;
  });
}

/** Distinct rows in random order: all of a small batch, about `size` of a large one. */
function pickRows(rows: number, size: number, below: (limit: number) => number): number[] {
  if (rows > size * 2) return [...new Set(Array.from({ length: size }, () => below(rows)))];
  const all = Array.from({ length: rows }, (_, row) => row);
  for (let at = rows - 1; at > 0; at--) {
    const other = below(at + 1);
    [all[at], all[other]] = [all[other]!, all[at]!];
  }
  return all.slice(0, size);
}
