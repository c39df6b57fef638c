import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Column, ColumnType, ColumnValue } from '../../columns/index.ts';
import { createColumnBuilder, readRows } from '../../columns/index.ts';
import { createWorld } from '../../world.ts';
import { createLocalStorage } from '../storage/index.ts';
import type { ParquetCodec } from './types.ts';
import { openVectorReader } from './vectors.ts';
import { createParquetWriter } from './writer.ts';

const storage = createLocalStorage(createWorld());
let folder = '';
let files = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vectors-'));
});
after(() => rm(folder, { recursive: true }));

type Values = readonly (ColumnValue | null)[];

const column = (type: ColumnType, nullable = true): Column => ({ name: 'c', type, nullable });

async function write(groups: readonly Values[], of: Column, codec: ParquetCodec = 'zstd') {
  const path = join(folder, `${files++}.parquet`);
  const output = await storage.createFile(path);
  const writer = await createParquetWriter({ columns: [{ column: of, fieldId: 7 }], codec, output });
  for (const values of groups) {
    const builder = createColumnBuilder(of, values.length);
    for (const value of values) builder.append(value);
    await writer.write({ rows: values.length, columns: [builder.finish()] });
  }
  await writer.close();
  return path;
}

async function readAll(path: string, wanted: Column, fieldId = 7): Promise<(ColumnValue | null)[]> {
  const reader = await openVectorReader(storage, path);
  const all: (ColumnValue | null)[] = [];
  for (const at of reader.groups.keys()) {
    const batch = await reader.readGroup(at, [{ column: wanted, fieldId }]);
    for (const value of readRows(batch.columns[0]!, batch.rows)) all.push(value);
  }
  assert.equal(all.length, reader.rows);
  return all;
}

const digits = (precision: number): bigint => 10n ** BigInt(precision) - 1n;
const samples: readonly (readonly [ColumnType, Values])[] = [
  [{ kind: 'boolean' }, [true, false, true]],
  [{ kind: 'int' }, [-(2 ** 31), 2 ** 31 - 1, 0]],
  [{ kind: 'long' }, [-(2n ** 63n), 2n ** 63n - 1n, -1n]],
  [{ kind: 'timestamp' }, [1_700_000_000_123_456n, -1n, 0n]],
  [{ kind: 'float' }, [1.5, -Infinity, Math.fround(0.1)]],
  [{ kind: 'double' }, [Math.PI, -Infinity, 5e-324]],
  [{ kind: 'decimal', precision: 9, scale: 2 }, [digits(9), -digits(9), 0n]],
  [{ kind: 'decimal', precision: 18, scale: 2 }, [digits(18), -digits(18), -1n]],
  [{ kind: 'decimal', precision: 20, scale: 2 }, [digits(20), -digits(20), -1n]],
  [{ kind: 'decimal', precision: 38, scale: 0 }, [digits(38), -digits(38), -1n]],
  [{ kind: 'string' }, ['', 'häß', 'x'.repeat(70_000)]],
];

describe('a file read back as vectors', () => {
  it('holds every value of every type, repeated or distinct, with nulls anywhere', async () => {
    for (const [type, values] of samples) {
      const spread = Array.from({ length: 3000 }, (_, at) => (at % 7 === 3 ? null : values[at % values.length]!));
      const groups = [values, spread, [null, null], [values[0]!, null], spread.toReversed()];
      const path = await write(groups, column(type));
      assert.deepEqual(await readAll(path, column(type)), groups.flat(), JSON.stringify(type));
    }
  });

  it('holds many distinct values in several pages, in every codec', async () => {
    const values = Array.from({ length: 150_000 }, (_, at) => (at % 11 === 0 ? null : `key-${at * 7919}`));
    for (const codec of ['zstd', 'snappy', 'gzip', 'none'] as const) {
      const path = await write([values], column({ kind: 'string' }), codec);
      assert.deepEqual(await readAll(path, column({ kind: 'string' })), values, codec);
    }
  });

  it('comes in the wider type that the table has since', async () => {
    const widened: readonly (readonly [ColumnType, Values, ColumnType, Values])[] = [
      [{ kind: 'int' }, [-5, null, 7], { kind: 'long' }, [-5n, null, 7n]],
      [{ kind: 'float' }, [1.5, null], { kind: 'double' }, [1.5, null]],
      [
        { kind: 'decimal', precision: 8, scale: 2 },
        [-123n, null],
        { kind: 'decimal', precision: 30, scale: 2 },
        [-123n, null],
      ],
    ];
    for (const [from, values, to, expected] of widened) {
      const path = await write([values], column(from));
      assert.deepEqual(await readAll(path, column(to)), expected);
    }
    const path = await write([[1n]], column({ kind: 'long' }));
    await assert.rejects(readAll(path, column({ kind: 'int' })), { kind: 'storage_failed' });
  });

  it('is found by field id, whatever its name; a column that the file lacks is null', async () => {
    const path = await write([['a']], column({ kind: 'string' }));
    const renamed = { ...column({ kind: 'string' }), name: 'other' };
    assert.deepEqual(await readAll(path, renamed), ['a']);
    assert.deepEqual(await readAll(path, column({ kind: 'string' }), 8), [null]);
  });

  it('can be of another writer, with encodings of its own', async () => {
    const path = join(folder, 'duck.parquet');
    const instance = await DuckDBInstance.create(':memory:');
    const duck = await instance.connect();
    await duck.run(`COPY (SELECT i AS c, 'row ' || i AS s, i * 1.5::DOUBLE AS d, CAST(i AS DECIMAL(30,3)) AS w
      FROM range(5000) t(i)) TO '${path}' (FORMAT parquet, PARQUET_VERSION v2, FIELD_IDS {c: 7, s: 8, d: 9, w: 10})`);
    duck.closeSync();
    instance.closeSync();
    const numbers = Array.from({ length: 5000 }, (_, at) => at);
    assert.deepEqual(await readAll(path, column({ kind: 'long' })), numbers.map(BigInt));
    assert.deepEqual(
      await readAll(path, column({ kind: 'string' }), 8),
      numbers.map((at) => `row ${at}`),
    );
    assert.deepEqual(
      await readAll(path, column({ kind: 'double' }), 9),
      numbers.map((at) => at * 1.5),
    );
    const decimal = { kind: 'decimal', precision: 30, scale: 3 } as const;
    assert.deepEqual(
      await readAll(path, column(decimal), 10),
      numbers.map((at) => BigInt(at) * 1000n),
    );
  });

  it('is read beside nested columns and others of types that are never written here', async () => {
    const path = join(folder, 'nested.parquet');
    const instance = await DuckDBInstance.create(':memory:');
    const duck = await instance.connect();
    await duck.run(`COPY (SELECT {'x': 1, 'y': [1, 2]} AS s, DATE '2026-01-01' AS d, [{'z': 'q'}] AS l,
      i AS c, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS t FROM range(3) t(i)) TO '${path}' (FORMAT parquet)`);
    duck.closeSync();
    instance.closeSync();
    assert.deepEqual(await readAll(path, column({ kind: 'long' })), [0n, 1n, 2n]);
    const at = { ...column({ kind: 'timestamp' }), name: 't' };
    assert.deepEqual(await readAll(path, at), Array(3).fill(BigInt(Date.UTC(2026, 0, 1)) * 1000n));
    await assert.rejects(readAll(path, { ...column({ kind: 'int' }), name: 'd' }), { kind: 'storage_failed' });
  });

  it('tells a damaged page from a readable one', async () => {
    const path = await write([Array.from({ length: 500 }, (_, at) => `v${at}`)], {
      ...column({ kind: 'string' }),
    });
    const bytes = (await storage.read(path))!;
    bytes.fill(0x5a, 40, 400);
    await storage.put(path, bytes);
    await assert.rejects(readAll(path, column({ kind: 'string' })), { kind: 'storage_failed' });
  });
});
