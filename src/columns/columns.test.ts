import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Column, ColumnType, ColumnValue } from './index.ts';
import { canonicalText, createColumnBuilder, readRows, readValue, selectRows } from './index.ts';

const column = (type: ColumnType, nullable = true): Column => ({ name: 'c', type, nullable });
const decimal = (precision: number, scale: number): ColumnType => ({ kind: 'decimal', precision, scale });

describe('the canonical text of a value', () => {
  const cases: readonly (readonly [ColumnType, ColumnValue, string])[] = [
    [{ kind: 'boolean' }, true, 'true'],
    [{ kind: 'int' }, -2147483648, '-2147483648'],
    [{ kind: 'long' }, 2n ** 63n - 1n, '9223372036854775807'],
    [{ kind: 'float' }, Math.fround(0.1), '0.10000000149011612'],
    [{ kind: 'float' }, 0.1, '0.10000000149011612'],
    [{ kind: 'double' }, 0.1, '0.1'],
    [{ kind: 'double' }, 1e21, '1e+21'],
    [{ kind: 'double' }, -0, '0'],
    [{ kind: 'double' }, NaN, 'NaN'],
    [{ kind: 'double' }, -Infinity, '-Infinity'],
    [decimal(10, 2), 5n, '0.05'],
    [decimal(10, 2), -1234n, '-12.34'],
    [decimal(10, 0), -1234n, '-1234'],
    [decimal(38, 38), 10n ** 38n - 1n, `0.${'9'.repeat(38)}`],
    [{ kind: 'timestamp' }, 0n, '1970-01-01T00:00:00.000000Z'],
    [{ kind: 'timestamp' }, -1n, '1969-12-31T23:59:59.999999Z'],
    [{ kind: 'timestamp' }, 253_402_300_799_999_999n, '9999-12-31T23:59:59.999999Z'],
    [{ kind: 'string' }, 'as it is', 'as it is'],
  ];
  for (const [type, value, text] of cases) {
    it(`of ${type.kind} ${String(value)} is ${text}`, () => assert.equal(canonicalText(type, value), text));
  }
});

describe('a column builder', () => {
  it('grows, keeps nulls apart and starts anew after a reset', () => {
    const builder = createColumnBuilder(column({ kind: 'string' }), 1);
    const values = Array.from({ length: 500 }, (_, at) => (at % 3 === 0 ? null : `é${'x'.repeat(at)}`));
    for (const value of values) builder.append(value);
    assert.deepEqual(readRows(builder.finish(), 500), values);
    builder.reset();
    builder.append(null);
    builder.append('b');
    assert.deepEqual(readRows(builder.finish(), 2), [null, 'b']);
  });

  it('lays 64 and 128 bits into lanes, low word first', () => {
    const long = createColumnBuilder(column({ kind: 'long' }), 1);
    long.append(-(2n ** 63n));
    assert.deepEqual(Array.from(long.finish().values.slice(0, 2)), [0, -(2 ** 31)]);
    const wide = createColumnBuilder(column(decimal(38, 0)), 1);
    wide.append(-1n);
    wide.append(2n ** 100n);
    assert.deepEqual(Array.from(wide.finish().values.slice(0, 8)), [-1, -1, -1, -1, 0, 0, 0, 16]);
    assert.equal(readValue(wide.finish(), 1), 2n ** 100n);
  });

  it('refuses what does not fit, and says which column', () => {
    const refusals: readonly (readonly [ColumnType, ColumnValue])[] = [
      [{ kind: 'int' }, 2 ** 31],
      [{ kind: 'int' }, 1.5],
      [{ kind: 'long' }, 2n ** 63n],
      [decimal(4, 2), 10_000n],
      [decimal(4, 2), -10_000n],
      [{ kind: 'boolean' }, 1],
      [{ kind: 'string' }, 1],
      [{ kind: 'double' }, '1'],
    ];
    for (const [type, value] of refusals) {
      const builder = createColumnBuilder(column(type), 1);
      assert.throws(() => builder.append(value), { kind: 'value_refused', message: /"c"/ }, `${type.kind} ${value}`);
    }
    assert.throws(() => createColumnBuilder(column({ kind: 'int' }, false), 1).append(null), { kind: 'value_refused' });
  });
});

describe('selecting rows of a vector', () => {
  it('takes the same values whatever the type and the nulls', () => {
    const samples: readonly (readonly [ColumnType, (at: number) => ColumnValue])[] = [
      [{ kind: 'boolean' }, (at) => at % 2 === 0],
      [{ kind: 'int' }, (at) => at],
      [{ kind: 'timestamp' }, (at) => BigInt(at) << 33n],
      [{ kind: 'double' }, (at) => at / 7],
      [decimal(30, 3), (at) => BigInt(at) << 80n],
      [{ kind: 'string' }, (at) => 'é'.repeat(at % 5)],
    ];
    for (const [type, make] of samples) {
      for (const every of [1000, 3]) {
        const values = Array.from({ length: 100 }, (_, at) => (at % every === 1 ? null : make(at)));
        const builder = createColumnBuilder(column(type), 4);
        for (const value of values) builder.append(value);
        const rows = [1, 2, 50, 51, 99];
        const selected = selectRows(builder.finish(), 100, rows);
        assert.deepEqual(
          readRows(selected, rows.length),
          rows.map((row) => values[row]),
        );
      }
    }
  });
});
