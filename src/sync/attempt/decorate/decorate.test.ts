import assert from 'node:assert/strict';
import { createHash, hash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { canonicalText, readValue } from '../../../columns/index.ts';
import type { Column, ColumnBatch, ColumnType, ColumnVector } from '../../../columns/index.ts';
import { createWorld } from '../../../world.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { createDecorator, keepRows, textOfRow } from './index.ts';
import type { ByteBuffer } from './bytes.ts';
import { createByteBuffer, ensureRoom } from './bytes.ts';
import { appendDigests } from './md5/index.ts';

const NONE = new Uint8Array(0);

function vector(name: string, type: ColumnType, rows: readonly (bigint | number | string | null)[]): ColumnVector {
  const present = rows.filter((value) => value !== null);
  const validity = new Uint8Array((rows.length + 7) >> 3);
  rows.forEach((value, row) => {
    if (value !== null) validity[row >> 3]! |= 1 << (row & 7);
  });
  const column: Column = { name, type, nullable: true };
  const base = { column, validity, nulls: rows.length - present.length, count: present.length, heap: NONE };
  if (type.kind === 'string') {
    const parts = present.map((value) => Buffer.from(String(value)));
    const values = new Int32Array(parts.length + 1);
    parts.forEach((part, index) => (values[index + 1] = values[index]! + part.length));
    return { ...base, values, heap: Buffer.concat(parts) };
  }
  if (type.kind === 'double') return { ...base, values: Float64Array.from(present as number[]) };
  if (type.kind === 'float') return { ...base, values: Float32Array.from(present as number[]) };
  if (type.kind === 'boolean') return { ...base, values: Uint8Array.from(present as number[]) };
  const lanes =
    type.kind === 'int' ? 1 : type.kind === 'decimal' ? (type.precision <= 9 ? 1 : type.precision <= 18 ? 2 : 4) : 2;
  const values = new Int32Array(present.length * lanes);
  present.forEach((value, index) => {
    for (let lane = 0; lane < lanes; lane++) {
      values[index * lanes + lane] = Number(BigInt.asIntN(32, BigInt(value!) >> BigInt(32 * lane)));
    }
  });
  return { ...base, values };
}

function stream(columns: readonly ColumnVector[], primaryKey: string[], normalization = true): ResolvedStream {
  const source = columns.map(({ column }) => ({ name: column.name, sourceType: '', column, orderable: true }));
  return {
    id: 's.t',
    mode: 'full_refresh',
    selection: { namespace: 's', name: 't', columns: source, primaryKey },
    table: { database: 'd', table: 't' },
    lakeColumns: columns.map(({ column }) => ({ ...column, name: column.name.toLowerCase() })),
    tableColumns: [],
    normalization,
    appendMode: false,
    schemaPolicy: 'evolve',
    logColumns: [],
  };
}

function decorate(columns: readonly ColumnVector[], key: string[], normalization = true): ColumnBatch {
  const rows = Math.max(...columns.map((column) => column.count + column.nulls));
  const decorator = createDecorator(stream(columns, key, normalization), { operation: 'r', world: createWorld() });
  return decorator.decorate({ rows, columns }).batch;
}

const ids = (batch: ColumnBatch): (string | null)[] => {
  const column = batch.columns.find((candidate) => candidate.column.name === '_olake_id')!;
  return Array.from({ length: batch.rows }, (_, row) => textOfRow(column, row));
};

test('a single integer key is its own text, also at the ends of 64 bits', () => {
  const values = [0n, -1n, 999_999_999n, 1_000_000_000n, 9_007_199_254_740_993n, -(2n ** 63n), 2n ** 63n - 1n];
  assert.deepEqual(ids(decorate([vector('id', { kind: 'long' }, values)], ['id'])), values.map(String));
  const small = [0, -2147483648, 2147483647, 10];
  assert.deepEqual(ids(decorate([vector('id', { kind: 'int' }, small)], ['id'])), small.map(String));
});

test('a single text key shares the buffers of the source batch', () => {
  const key = vector('id', { kind: 'string' }, ['a', '', 'żółć']);
  const batch = decorate([key], ['id']);
  assert.deepEqual(ids(batch), ['a', '', 'żółć']);
  assert.equal(batch.columns[1]!.heap, key.heap);
});

test('a composite key is the MD5 of its texts in alphabetical order, each followed by a bar', () => {
  const columns = [vector('b_id', { kind: 'int' }, [2]), vector('a_id', { kind: 'int' }, [1])];
  assert.deepEqual(ids(decorate(columns, ['b_id', 'a_id'])), ['e659712f12fbf3b6fb9382421c3429f1']);
});

test('a stream without a key is identified by all of its columns', () => {
  const columns = [
    vector('z', { kind: 'double' }, [1.5, -0]),
    vector('a', { kind: 'string' }, ['x', null]),
    vector('t', { kind: 'timestamp' }, [0n, 253_402_300_799_999_999n]),
    vector('d', { kind: 'decimal', precision: 38, scale: 2 }, [-5n, 12345678901234567890123456789012345678n]),
  ];
  const expected = [
    'x|-0.05|1970-01-01T00:00:00.000000Z|1.5|',
    '|123456789012345678901234567890123456.78|9999-12-31T23:59:59.999999Z|0|',
  ];
  const digests = expected.map((text) => createHash('md5').update(text).digest('hex'));
  assert.deepEqual(ids(decorate(columns, [])), digests);
});

test('our MD5 agrees with the crypto library whatever lengths stand beside each other', () => {
  const aroundBlocks = Array.from({ length: 200 }, (_, length) => length);
  const aroundLanes = [0, 4150, 4151, 4152, 4160, 5, 64, 9000, 1, 120_000, 4151, 4151, 2];
  for (const lengths of [
    [],
    [7],
    aroundBlocks,
    aroundBlocks.toReversed(),
    aroundLanes,
    [...aroundLanes, ...aroundBlocks],
  ]) {
    const texts = lengths.map((length) => randomBytes(length));
    assert.deepEqual(
      digestsOf(texts),
      texts.map((text) => hash('md5', text)),
    );
  }
});

test('a text that could not be written leaves no trace in the digests that follow', () => {
  assert.throws(() =>
    appendDigests(createByteBuffer(), 4, (line, row) => {
      appendBytes(line, randomBytes(100));
      if (row === 3) throw new Error('refused');
    }),
  );
  const texts = Array.from({ length: 30 }, (_, length) => randomBytes(length));
  assert.deepEqual(
    digestsOf(texts),
    texts.map((text) => hash('md5', text)),
  );
});

function appendBytes(line: ByteBuffer, text: Uint8Array): void {
  ensureRoom(line, text.length);
  line.bytes.set(text, line.length);
  line.length += text.length;
}

function digestsOf(texts: readonly Uint8Array[]): string[] {
  const out = createByteBuffer(1);
  appendDigests(out, texts.length, (line, row) => appendBytes(line, texts[row]!));
  assert.equal(out.length, 32 * texts.length);
  const digits = Buffer.from(out.bytes).toString('latin1');
  return texts.map((_, row) => digits.slice(32 * row, 32 * row + 32));
}

test('integers print all of their digits, at every number of them', () => {
  const powers = Array.from({ length: 19 }, (_, digits) => 10n ** BigInt(digits));
  const values = powers.flatMap((power) => [power, power - 1n, -power, power + 7n]);
  assert.deepEqual(ids(decorate([vector('id', { kind: 'long' }, values)], ['id'])), values.map(String));
});

test('timestamps print like the date library for many instants', () => {
  const instants = Array.from({ length: 500 }, () => randomBytes(6).readUIntBE(0, 6) % 253_402_300_799_999);
  const column = vector(
    't',
    { kind: 'timestamp' },
    instants.map((ms) => BigInt(ms) * 1000n),
  );
  instants.forEach((ms, row) => assert.equal(textOfRow(column, row), new Date(ms).toISOString().replace('Z', '000Z')));
  const before = vector('t', { kind: 'timestamp' }, [-1n, -62_135_596_800_000_000n]);
  assert.equal(textOfRow(before, 0), '1969-12-31T23:59:59.999999Z');
  assert.equal(textOfRow(before, 1), '0001-01-01T00:00:00.000000Z');
});

test('texts written from vectors are those of the columns room', () => {
  const columns = [
    vector('f', { kind: 'float' }, [Math.fround(0.1), -0, Number.NaN, -Infinity]),
    vector('d', { kind: 'double' }, [1e21, -0, 5e-324, 0.1]),
    vector('n', { kind: 'decimal', precision: 9, scale: 9 }, [1, -999_999_999, 0, 5]),
    vector('m', { kind: 'decimal', precision: 18, scale: 0 }, [-(10n ** 17n), 1n, 0n, 7n]),
    vector('b', { kind: 'boolean' }, [0, 1, 1, 0]),
  ];
  for (const column of columns) {
    for (let row = 0; row < 4; row++) {
      assert.equal(textOfRow(column, row), canonicalText(column.column.type, readValue(column, row)));
    }
  }
});

test('without normalization a row is one JSON object with source names and exact numbers', () => {
  const batch = decorate(
    [
      vector('Id', { kind: 'long' }, [9_007_199_254_740_993n, 1n]),
      vector('No"te', { kind: 'string' }, ['a "quoted"\n\\ line', null]),
      vector('Price', { kind: 'decimal', precision: 20, scale: 3 }, [12345678901234567890n, -1n]),
      vector('Odd', { kind: 'double' }, [Number.NaN, 0.1]),
      vector('Ok', { kind: 'boolean' }, [1, 0]),
    ],
    ['Id'],
    false,
  );
  assert.deepEqual(
    batch.columns.map(({ column }) => column.name),
    ['data', '_olake_id', '_olake_timestamp', '_op_type'],
  );
  const texts = [0, 1].map((row) => textOfRow(batch.columns[0]!, row)!);
  assert.match(texts[0]!, /"Id":9007199254740993,.*"Price":12345678901234567\.890,/s);
  assert.deepEqual(JSON.parse(texts[1]!), { Id: 1, 'No"te': null, Price: -0.001, Odd: 0.1, Ok: false });
  assert.equal(JSON.parse(texts[0]!)['No"te'], 'a "quoted"\n\\ line');
  assert.equal(JSON.parse(texts[0]!).Odd, 'NaN');
});

test('keeping some rows keeps their values and nulls', () => {
  const batch: ColumnBatch = {
    rows: 5,
    columns: [
      vector('i', { kind: 'long' }, [1n, null, 3n, 4n, null]),
      vector('s', { kind: 'string' }, ['a', 'bb', null, 'dddd', 'e']),
      vector('x', { kind: 'double' }, [1, 2, 3, 4, 5]),
    ],
  };
  const kept = keepRows(batch, Uint8Array.of(0, 1, 1, 0, 1));
  assert.equal(kept.rows, 3);
  const rows = [0, 1, 2].map((row) => kept.columns.map((column) => textOfRow(column, row)));
  assert.deepEqual(rows, [
    [null, 'bb', '2'],
    ['3', null, '3'],
    [null, 'e', '5'],
  ]);
});
