import type { AvroSchema } from './avro-file.ts';
import type { BoundPartitionField } from './partition.ts';

/** The Avro schemas of manifests and manifest lists with the field ids that the Iceberg specification assigns. */

interface AvroField {
  readonly name: string;
  readonly type: AvroSchema;
  readonly 'field-id': number;
  readonly default?: null;
}

const required = (name: string, id: number, type: AvroSchema): AvroField => ({ name, type, 'field-id': id });

const optional = (name: string, id: number, type: AvroSchema): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
});

function mapOf(keyId: number, valueId: number, valueType: AvroSchema): AvroSchema {
  const name = `k${keyId}_v${valueId}`;
  const fields = [required('key', keyId, 'int'), required('value', valueId, valueType)];
  return { type: 'array', items: { type: 'record', name, fields }, logicalType: 'map' };
}

const listOf = (elementId: number, items: AvroSchema): AvroSchema => ({
  type: 'array',
  items,
  'element-id': elementId,
});

/** Schema of one manifest's entries; the partition record follows the table's partition spec. */
export function manifestEntrySchema(partition: readonly BoundPartitionField[]): AvroSchema {
  const dataFileFields = [
    required('content', 134, 'int'),
    required('file_path', 100, 'string'),
    required('file_format', 101, 'string'),
    required('partition', 102, partitionSchema(partition)),
    required('record_count', 103, 'long'),
    required('file_size_in_bytes', 104, 'long'),
    optional('column_sizes', 108, mapOf(117, 118, 'long')),
    optional('value_counts', 109, mapOf(119, 120, 'long')),
    optional('null_value_counts', 110, mapOf(121, 122, 'long')),
    optional('nan_value_counts', 137, mapOf(138, 139, 'long')),
    optional('lower_bounds', 125, mapOf(126, 127, 'bytes')),
    optional('upper_bounds', 128, mapOf(129, 130, 'bytes')),
    optional('key_metadata', 131, 'bytes'),
    optional('split_offsets', 132, listOf(133, 'long')),
    optional('equality_ids', 135, listOf(136, 'int')),
    optional('sort_order_id', 140, 'int'),
  ];
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required('status', 0, 'int'),
      optional('snapshot_id', 1, 'long'),
      optional('sequence_number', 3, 'long'),
      optional('file_sequence_number', 4, 'long'),
      required('data_file', 2, { type: 'record', name: 'r2', fields: dataFileFields }),
    ],
  };
}

function partitionSchema(fields: readonly BoundPartitionField[]): AvroSchema {
  return {
    type: 'record',
    name: 'r102',
    fields: fields.map((field) => ({
      ...optional(avroName(field.name), field.fieldId, partitionValueType(field)),
      ...(avroName(field.name) !== field.name && { 'iceberg-field-name': field.name }),
    })),
  };
}

function partitionValueType(field: BoundPartitionField): AvroSchema {
  const decimal = /^decimal\((\d+),\s*(\d+)\)$/.exec(field.type);
  if (decimal) {
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
    const size = decimalBytes(precision);
    return { type: 'fixed', name: `decimal_${field.fieldId}`, size, logicalType: 'decimal', precision, scale };
  }
  if (field.type === 'date') return { type: 'int', logicalType: 'date' };
  if (field.type === 'timestamptz') return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true };
  return field.type;
}

/** Bytes that hold every unscaled value of so many digits. */
export function decimalBytes(precision: number): number {
  let bytes = 1;
  while (2n ** BigInt(bytes * 8 - 1) <= 10n ** BigInt(precision) - 1n) bytes += 1;
  return bytes;
}

/** The name in the alphabet of Avro, spelled as other Iceberg writers do. */
export function avroName(name: string): string {
  const spelled = Array.from(name, (character, index) => {
    if (/[A-Za-z_]/.test(character)) return character;
    if (/\d/.test(character)) return index === 0 ? `_${character}` : character;
    return `_x${character.codePointAt(0)!.toString(16).toUpperCase()}`;
  });
  return spelled.join('');
}

const partitionSummarySchema: AvroSchema = {
  type: 'record',
  name: 'r508',
  fields: [
    required('contains_null', 509, 'boolean'),
    optional('contains_nan', 518, 'boolean'),
    optional('lower_bound', 510, 'bytes'),
    optional('upper_bound', 511, 'bytes'),
  ],
};

/** Schema of a manifest list's records. */
export const manifestListSchema: AvroSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    required('manifest_path', 500, 'string'),
    required('manifest_length', 501, 'long'),
    required('partition_spec_id', 502, 'int'),
    required('content', 517, 'int'),
    required('sequence_number', 515, 'long'),
    required('min_sequence_number', 516, 'long'),
    required('added_snapshot_id', 503, 'long'),
    required('added_files_count', 504, 'int'),
    required('existing_files_count', 505, 'int'),
    required('deleted_files_count', 506, 'int'),
    required('added_rows_count', 512, 'long'),
    required('existing_rows_count', 513, 'long'),
    required('deleted_rows_count', 514, 'long'),
    optional('partitions', 507, listOf(508, partitionSummarySchema)),
    optional('key_metadata', 519, 'bytes'),
  ],
};
