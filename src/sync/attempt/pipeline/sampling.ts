import type { ColumnBatch } from '../../../columns/index.ts';
import type { BatchPlace, RowPlace, StreamSelection } from '../../../connectors/kit/index.ts';
import type { World } from '../../../world.ts';
import { textOfRow } from '../decorate/index.ts';

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
  take(source: ColumnBatch, table: ColumnBatch): readonly Picked[];
  /** Keeps the picked rows once the writer has said where the batch went. */
  keep(picked: readonly Picked[], place: BatchPlace): void;
  readonly samples: readonly Sample[];
}

export interface Picked {
  readonly slot: number;
  readonly row: number;
  readonly key: readonly string[];
  readonly written: readonly (string | null)[];
}

/** A uniform sample of at most `size` of all rows, by reservoir with jumps (only chosen rows cost anything). */
export function createSampler(selection: StreamSelection, options: { size: number; world: World }): Sampler {
  const samples: Sample[] = [];
  const keyAt = selection.primaryKey.map((name) => selection.columns.findIndex((column) => column.name === name));
  const random = (): number => (options.world.random(6).readUIntBE(0, 6) + 1) / (2 ** 48 + 1);
  let seen = 0;
  let filled = 0;
  let weight = Math.exp(Math.log(random()) / options.size);
  let next = 0;
  const jump = (): void => {
    next += Math.floor(Math.log(random()) / Math.log(1 - weight)) + 1;
    weight *= Math.exp(Math.log(random()) / options.size);
  };
  return {
    samples,
    take(source, table) {
      const picked: Picked[] = [];
      while (next < seen + source.rows) {
        const row = next - seen;
        const slot = filled < options.size ? filled++ : Math.floor(random() * options.size);
        picked.push({
          slot,
          row,
          key: keyAt.map((at) => textOfRow(source.columns[at]!, row) ?? ''),
          written: table.columns.map((vector) => textOfRow(vector, row)),
        });
        if (filled < options.size) next++;
        else jump();
      }
      seen += source.rows;
      return picked;
    },
    keep(picked, place) {
      for (const { slot, row, key, written } of picked) {
        samples[slot] = { place: { file: place.file, row: place.firstRow + row }, key, written };
      }
    },
  };
}
