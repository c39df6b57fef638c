import type { ColumnBatch } from '../../columns/index.ts';
import { isPresent } from '../../columns/index.ts';
import type { BoundPartitionField } from './partition.ts';
import type { PartitionValue } from './model.ts';
import type { TransformedValue } from './transform.ts';
import { bindTransform, storePartitionValue } from './transform.ts';

/** Gives every row the ordinal of its partition; new partitions are told once, with their values. */
export interface PartitionRouter {
  route(batch: ColumnBatch): Int32Array;
  readonly partitions: readonly (readonly PartitionValue[])[];
}

/** `columnIndexes[i]` is the place of field i's source column in the batches, -1 when the stream lacks it. */
export function createRouter(
  fields: readonly BoundPartitionField[],
  columnIndexes: readonly number[],
): PartitionRouter {
  const partitions: (readonly PartitionValue[])[] = [];
  // One map per field, nested by combination: the code of a prefix of values leads to the code of the longer prefix.
  const codes = fields.map(() => new Map<number, Map<TransformedValue | null, number>>());
  let nextCode = 1;
  const prefixValues = new Map<number, readonly PartitionValue[]>([[0, []]]);
  const ordinalOfCode = new Map<number, number>();

  function codeOf(field: number, prefix: number, value: TransformedValue | null): number {
    let byValue = codes[field]!.get(prefix);
    if (!byValue) codes[field]!.set(prefix, (byValue = new Map()));
    let code = byValue.get(value);
    if (code === undefined) {
      code = nextCode++;
      byValue.set(value, code);
      const stored = storePartitionValue(fields[field]!.type, value);
      prefixValues.set(code, [...prefixValues.get(prefix)!, stored]);
      if (field === fields.length - 1) {
        ordinalOfCode.set(code, partitions.length);
        partitions.push(prefixValues.get(code)!);
      }
    }
    return code;
  }

  return {
    partitions,
    route(batch) {
      const result = new Int32Array(batch.rows);
      for (const [field, bound] of fields.entries()) {
        const vector = batch.columns[columnIndexes[field]!];
        const transform = vector && bindTransform(bound.transform, vector);
        for (let row = 0, dense = 0; row < batch.rows; row++) {
          const present = vector && (vector.constant || isPresent(vector, row));
          result[row] = codeOf(field, result[row]!, present ? transform!(dense++) : null);
        }
      }
      for (let row = 0; row < batch.rows; row++) result[row] = ordinalOfCode.get(result[row]!)!;
      return result;
    },
  };
}
