import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Column, ColumnValue } from '../../../columns/index.ts';
import { createColumnBuilder } from '../../../columns/index.ts';
import { readPartitionRule } from './partition.ts';

const columns: readonly Column[] = [
  { name: 'region', type: { kind: 'string' }, nullable: true },
  { name: 'id', type: { kind: 'int' }, nullable: true },
  { name: '_olake_timestamp', type: { kind: 'timestamp' }, nullable: true },
];

function foldersOf(pattern: string, rows: readonly (readonly (ColumnValue | null)[])[]): Record<string, number[]> {
  const vectors = columns.map((column, at) => {
    const builder = createColumnBuilder(column, rows.length);
    for (const row of rows) builder.append(row[at]!);
    return builder.finish();
  });
  const groups = readPartitionRule(pattern, columns)!({ rows: rows.length, columns: vectors });
  return Object.fromEntries([...groups].map(([folder, picks]) => [folder, [...picks]]));
}

const at = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;

describe('a partition pattern', () => {
  it('mixes literal parts with values, defaults and parts of times', () => {
    const rows = [
      ['eu', 1, at('2024-12-30T23:00:00Z')],
      [null, 2, at('2024-12-30T23:59:59Z')],
      ['eu', 3, at('2025-01-01T00:00:00Z')],
    ];
    assert.deepEqual(foldersOf('/region={region, none, }/{now(), , YYYY}-{now(), , MM}', rows), {
      'region=eu/2024-12/': [0],
      'region=none/2024-12/': [1],
      'region=eu/2025-01/': [2],
    });
    assert.deepEqual(foldersOf('/w{now(),,WW}/{now(),,DD}/{now(),,HH}', rows), {
      'w01/30/23/': [0, 1],
      'w01/01/00/': [2],
    });
  });

  it('makes values safe as names of folders', () => {
    const values = ['../../etc', 'a/b\\c', '.hidden', '_x', '', 'a%2Fb', 'nul\u0000', `${'é'.repeat(300)}`, 'x.'];
    const rows = values.map((value) => [value, 1, 0n]);
    const folders = Object.keys(foldersOf('/{region, none, }', rows));
    assert.deepEqual(folders.slice(0, 6), ['%2E.%2F..%2Fetc/', 'a%2Fb%5Cc/', '%2Ehidden/', '%5Fx/', '', 'a%252Fb/']);
    assert.ok(folders.every((folder) => Buffer.byteLength(folder) <= 255 && !folder.includes('\u0000')));
  });

  it('keeps different values apart', () => {
    const rows = [
      ['a/b', 1, 0n],
      ['a%2Fb', 2, 0n],
    ];
    assert.equal(Object.keys(foldersOf('/{region,,}', rows)).length, 2);
  });

  it('is refused when it names what is not there', () => {
    for (const bad of ['/{nowhere, , }', '/{region, , QQ}', '/{region, , YYYY}', '/{now(), , yyyy}']) {
      assert.throws(() => readPartitionRule(bad, columns), { kind: 'configuration_invalid' }, bad);
    }
    assert.equal(readPartitionRule('', columns), undefined);
    assert.equal(readPartitionRule('/', columns), undefined);
  });
});
