import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ColumnType, ColumnValue } from '../../columns/index.ts';
import { createColumnBuilder } from '../../columns/index.ts';
import { murmur3 } from './murmur.ts';
import { folderWord, parsePartition } from './partition.ts';
import { bigEndianBytes, readBigEndian, truncateLower, truncateUpper } from './single-value.ts';
import { bindTransform, parseTransform, partitionText } from './transform.ts';

function apply(word: string, type: ColumnType, value: ColumnValue): unknown {
  const builder = createColumnBuilder({ name: 'c', type, nullable: true }, 1);
  builder.append(value);
  return bindTransform(parseTransform(word), builder.finish())(0);
}

const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;
const hashOf = (bytes: Uint8Array): number => murmur3(bytes, 0, bytes.length);

describe('partition transforms', () => {
  it('hash as the specification lists in its appendix B', () => {
    const long = Buffer.alloc(8);
    long.writeBigInt64LE(34n);
    assert.equal(hashOf(long), 2017239379);
    assert.equal(hashOf(bigEndianBytes(1420n)), -500754589);
    const time = Buffer.alloc(8);
    time.writeBigInt64LE(1510871468000000n);
    assert.equal(hashOf(time), -2047944441);
    assert.equal(hashOf(Buffer.from('iceberg')), 1210000089);
    assert.equal(hashOf(Uint8Array.of(0, 1, 2, 3)), -188683207);
  });

  it('bucket takes the hash of integers as longs, of decimals as their smallest bytes', () => {
    const bucket = (hash: number): number => (hash & 0x7fffffff) % 100;
    assert.equal(apply('bucket[100]', { kind: 'int' }, 34), bucket(2017239379));
    assert.equal(apply('bucket[100]', { kind: 'long' }, 34n), bucket(2017239379));
    assert.equal(apply('bucket[100]', { kind: 'decimal', precision: 38, scale: 2 }, 1420n), bucket(-500754589));
    assert.equal(apply('bucket[100]', { kind: 'timestamp' }, 1510871468000000n), bucket(-2047944441));
    assert.equal(apply('bucket[100]', { kind: 'string' }, 'iceberg'), bucket(1210000089));
  });

  it('truncate rounds down and cuts by code points', () => {
    assert.equal(apply('truncate[10]', { kind: 'int' }, -1), -10);
    assert.equal(apply('truncate[10]', { kind: 'long' }, 2n ** 62n + 7n), 4_611_686_018_427_387_910n);
    assert.equal(apply('truncate[50]', { kind: 'decimal', precision: 9, scale: 2 }, 1065n), 1050n);
    assert.equal(apply('truncate[2]', { kind: 'string' }, '😀é-rest'), '😀é');
  });

  it('times count years, months, days and hours from 1970, before it downwards, and far from it exactly', () => {
    const time: ColumnType = { kind: 'timestamp' };
    const at = micros('2017-11-16T22:31:08Z');
    assert.deepEqual(
      ['year', 'month', 'day', 'hour'].map((word) => apply(word, time, at)),
      [47, 574, 17486, 419686],
    );
    assert.deepEqual(
      ['year', 'month', 'day', 'hour'].map((word) => apply(word, time, -1n)),
      [-1, -1, -1, -1],
    );
    assert.equal(apply('day', time, micros('9999-12-31T00:00:00Z') - 1n), 2932895);
  });

  it('are shown in folder names as people write them, safely', () => {
    const show = (word: string, value: number): string => partitionText(parseTransform(word), 'int', value);
    assert.equal(show('year', 47), '2017');
    assert.equal(show('month', 574), '2017-11');
    assert.equal(show('day', 17486), '2017-11-16');
    assert.equal(show('hour', 419686), '2017-11-16-22');
    assert.equal(partitionText({ kind: 'identity' }, 'decimal(9,2)', bigEndianBytes(-5n)), '-0.05');
    assert.equal(folderWord('../a b'), '%2E.%2Fa+b');
    assert.ok(folderWord('é'.repeat(400)).length <= 180);
    assert.notEqual(folderWord(`${'é'.repeat(400)}1`), folderWord(`${'é'.repeat(400)}2`));
  });

  it('are refused when they do not fit the column or are not spelled right', () => {
    const schema = {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'at', required: false, type: 'timestamptz' },
        { id: 2, name: 'price', required: false, type: 'double' },
        { id: 3, name: '_olake_timestamp', required: false, type: 'timestamptz' },
      ],
    } as const;
    assert.deepEqual(parsePartition('/{now(), day}/{at, bucket[4]}', schema), [
      { 'source-id': 3, name: '_olake_timestamp_day', transform: 'day' },
      { 'source-id': 1, name: 'at_bucket', transform: 'bucket[4]' },
    ]);
    for (const text of ['/{price, day}', '/{price, bucket[2]}', '/{nowhere, day}', '/{at, week}', '/at', '/{at}']) {
      assert.throws(() => parsePartition(text, schema), { kind: 'configuration_invalid' }, text);
    }
  });
});

describe('bounds of text', () => {
  it('are cut after sixteen code points, the upper one raised', () => {
    const long = Buffer.from(`${'a'.repeat(15)}😀tail`);
    assert.equal(Buffer.from(truncateLower(long)).toString(), `${'a'.repeat(15)}😀`);
    assert.equal(Buffer.from(truncateUpper(long)!).toString(), `${'a'.repeat(15)}😁`);
    assert.equal(Buffer.from(truncateUpper(Buffer.from('short'))!).toString(), 'short');
  });

  it('skip what is no character, and vanish when nothing can be raised', () => {
    const highest = '\u{10ffff}';
    assert.equal(Buffer.from(truncateUpper(Buffer.from(`a${highest.repeat(20)}`))!).toString(), 'b');
    assert.equal(
      Buffer.from(truncateUpper(Buffer.from(`${'a'.repeat(15)}\ud7ff-`))!).toString(),
      `${'a'.repeat(15)}\ue000`,
    );
    assert.equal(truncateUpper(Buffer.from(highest.repeat(17))), undefined);
  });
});

describe('decimals as bytes', () => {
  it('are as short as they can be and read back', () => {
    for (const value of [0n, 1n, -1n, 127n, 128n, -128n, -129n, 10n ** 38n - 1n, 1n - 10n ** 38n]) {
      const bytes = bigEndianBytes(value);
      assert.equal(readBigEndian(bytes), value);
      if (bytes.length > 1) assert.notEqual(readBigEndian(bytes.subarray(1)), value);
    }
  });
});
