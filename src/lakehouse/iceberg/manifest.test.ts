import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AvroSchema } from './avro-file.ts';
import { readAvroFile, writeAvroFile } from './avro-file.ts';
import { formatExactJson, parseExactJson } from './exact.ts';
import { decodeManifest, describeManifest, encodeManifest } from './manifest.ts';
import { assignNumbers, decodeManifestList, encodeManifestList } from './manifest-list.ts';
import type { DataFile, IcebergSchema, PartitionSpec } from './model.ts';
import { addedStatus } from './model.ts';

const schema: IcebergSchema = {
  type: 'struct',
  'schema-id': 3,
  fields: [
    { id: 1, name: 'total amount', required: false, type: 'decimal(20,2)' },
    { id: 2, name: 'at', required: false, type: 'timestamptz' },
    { id: 3, name: 'big', required: false, type: 'long' },
  ],
};
const spec: PartitionSpec = {
  'spec-id': 5,
  fields: [
    { 'source-id': 1, 'field-id': 1000, name: 'total amount', transform: 'identity' },
    { 'source-id': 2, 'field-id': 1001, name: 'at_day', transform: 'day' },
    { 'source-id': 3, 'field-id': 1002, name: 'big', transform: 'identity' },
  ],
};
const file: DataFile = {
  content: 0,
  path: '/lake/t/data/a.parquet',
  format: 'PARQUET',
  partition: new Map<number, Uint8Array | number | bigint>([
    [1000, Uint8Array.of(0xff, 0x01)],
    [1001, 17486],
    [1002, 2n ** 60n],
  ]),
  records: 5,
  bytes: 2 ** 40,
  columnSizes: new Map([[1, 30]]),
  valueCounts: new Map([[1, 5]]),
  nullCounts: new Map([[1, 0]]),
  nanCounts: new Map(),
  lowerBounds: new Map([[1, Uint8Array.of(1)]]),
  upperBounds: new Map([[1, Uint8Array.of(2)]]),
  splitOffsets: [4],
  equalityIds: null,
  sortOrderId: 0,
};
const entry = { status: addedStatus, snapshotId: null, sequence: null, fileSequence: null, file };
const sync = new Uint8Array(16).fill(7);

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly 'field-id': number;
}
const fieldsOf = (of: AvroSchema | unknown): readonly Field[] => (of as { fields: readonly Field[] }).fields;
const idsOf = (of: unknown): Record<string, number> =>
  Object.fromEntries(fieldsOf(of).map((field) => [field.name, field['field-id']]));

describe('manifests', () => {
  const bytes = encodeManifest({ content: 0, schema, spec, entries: [entry] }, sync);

  it('carry the field ids of the specification', () => {
    const { schema: avro, header } = readAvroFile(bytes);
    assert.deepEqual(idsOf(avro), {
      status: 0,
      snapshot_id: 1,
      sequence_number: 3,
      file_sequence_number: 4,
      data_file: 2,
    });
    const data = fieldsOf(avro).find((field) => field.name === 'data_file')!.type;
    assert.deepEqual(idsOf(data), {
      content: 134,
      file_path: 100,
      file_format: 101,
      partition: 102,
      record_count: 103,
      file_size_in_bytes: 104,
      column_sizes: 108,
      value_counts: 109,
      null_value_counts: 110,
      nan_value_counts: 137,
      lower_bounds: 125,
      upper_bounds: 128,
      key_metadata: 131,
      split_offsets: 132,
      equality_ids: 135,
      sort_order_id: 140,
    });
    const maps = JSON.stringify(data);
    for (const ids of ['"k117_v118"', '"k119_v120"', '"k121_v122"', '"k138_v139"', '"k126_v127"', '"k129_v130"']) {
      assert.ok(maps.includes(ids), ids);
    }
    assert.ok(maps.includes('"element-id":133') && maps.includes('"element-id":136'));
    const partition = fieldsOf(data).find((field) => field.name === 'partition')!.type;
    assert.deepEqual(idsOf(partition), { total_x20amount: 1000, at_day: 1001, big: 1002 });
    assert.equal(header['content'], 'data');
    assert.equal(header['format-version'], '2');
    assert.equal(header['partition-spec-id'], '5');
    assert.equal(header['schema-id'], '3');
    assert.deepEqual(JSON.parse(header['schema']!), schema);
    assert.deepEqual(JSON.parse(header['partition-spec']!), spec.fields);
  });

  it('read back what they say, numbers inherited from the list', () => {
    const [read] = decodeManifest(bytes, { sequence: 9, snapshotId: 77 });
    assert.deepEqual([read!.sequence, read!.fileSequence, read!.snapshotId], [9, 9, 77]);
    assert.equal(read!.file.bytes, 2 ** 40);
    assert.equal(read!.file.partition.get(1002), 2n ** 60n);
    assert.equal(Buffer.from(read!.file.partition.get(1000) as Uint8Array).toString('hex'), 'ffffffffffffffff01');
    assert.deepEqual(read!.file.splitOffsets, [4]);
  });

  it('are listed with counts, numbers and partition bounds under the ids of the specification', () => {
    const place = { path: '/lake/t/metadata/m.avro', length: bytes.length };
    const described = describeManifest({ content: 0, schema, spec, entries: [entry] }, place);
    const owner = { snapshotId: 2 ** 52 + 1, parentId: undefined, sequence: 12 };
    const list = encodeManifestList([assignNumbers(described, owner)], owner, sync);
    assert.deepEqual(idsOf(readAvroFile(list).schema), {
      manifest_path: 500,
      manifest_length: 501,
      partition_spec_id: 502,
      content: 517,
      sequence_number: 515,
      min_sequence_number: 516,
      added_snapshot_id: 503,
      added_files_count: 504,
      existing_files_count: 505,
      deleted_files_count: 506,
      added_rows_count: 512,
      existing_rows_count: 513,
      deleted_rows_count: 514,
      partitions: 507,
      key_metadata: 519,
    });
    const [read] = decodeManifestList(list);
    assert.deepEqual([read!.sequence, read!.minSequence, read!.snapshotId], [12, 12, 2 ** 52 + 1]);
    assert.deepEqual([read!.addedFiles, read!.addedRows, read!.specId], [1, 5, 5]);
    const day = read!.partitions![1]!;
    assert.equal(Buffer.from(day.lower!).readInt32LE(), 17486);
    assert.equal(day.containsNull, false);
  });

  it('of other writers are read by field id, whatever their names and codec', () => {
    const foreign = {
      type: 'record',
      name: 'manifest_file',
      fields: [
        { name: 'manifest_path', type: 'string', 'field-id': 500 },
        { name: 'added_data_files_count', type: 'int', 'field-id': 504 },
        { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
      ],
    };
    const record = { manifest_path: '/m', added_data_files_count: 3, added_snapshot_id: 2n ** 62n + 1n };
    const [read] = decodeManifestList(writeAvroFile({ schema: foreign, header: {}, records: [record] }, sync));
    assert.deepEqual([read!.path, read!.addedFiles, read!.snapshotId], ['/m', 3, 2n ** 62n + 1n]);
  });
});

describe('metadata text', () => {
  it('keeps integers that other engines wrote beyond 2^53', () => {
    const text = '{"snapshot-id":9007199254740993,"a":[1,-9223372036854775808],"b":1.5,"c":1e300}';
    const value = parseExactJson(text) as Record<string, unknown>;
    assert.equal(value['snapshot-id'], 9007199254740993n);
    assert.deepEqual(parseExactJson(formatExactJson(value)), value);
    assert.ok(formatExactJson(value).includes('9007199254740993'));
  });
});
