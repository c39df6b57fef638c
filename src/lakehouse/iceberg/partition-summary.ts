import type { ManifestEntry, PartitionSummary, PartitionValue } from './model.ts';
import type { BoundPartitionField } from './partition.ts';
import { encodeSingleValue, readBigEndian, truncateLower, truncateUpper } from './single-value.ts';

/** Least and greatest partition values of a manifest's files, field by field, as manifest lists carry them. */
export function summarizePartitions(
  fields: readonly BoundPartitionField[],
  entries: readonly ManifestEntry[],
): PartitionSummary[] {
  return fields.map((field) => {
    const values = entries.map((entry) => entry.file.partition.get(field.fieldId) ?? null);
    return summarizeField(field, values);
  });
}

function summarizeField(field: BoundPartitionField, values: readonly PartitionValue[]): PartitionSummary {
  let containsNull = false;
  let containsNan = false;
  let least: Exclude<PartitionValue, null> | undefined;
  let greatest: Exclude<PartitionValue, null> | undefined;
  for (const value of values) {
    if (value === null) containsNull = true;
    else if (Number.isNaN(value)) containsNan = true;
    else {
      if (least === undefined || compare(field.type, value, least) < 0) least = value;
      if (greatest === undefined || compare(field.type, value, greatest) > 0) greatest = value;
    }
  }
  const isText = field.type === 'string';
  const lower = least === undefined ? null : encodeSingleValue(field.type, least);
  const upper = greatest === undefined ? null : encodeSingleValue(field.type, greatest);
  return {
    containsNull,
    containsNan,
    lower: lower && isText ? truncateLower(lower) : lower,
    upper: upper && isText ? (truncateUpper(upper) ?? null) : upper,
  };
}

type Present = Exclude<PartitionValue, null>;

function compare(type: string, left: Present, right: Present): number {
  if (type === 'string') return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
  const [a, b] = [comparable(left), comparable(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparable(value: Present): number | bigint {
  if (value instanceof Uint8Array) return readBigEndian(value);
  return typeof value === 'bigint' ? value : Number(value);
}
