import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FileMetaData } from 'hyparquet';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Column, ColumnType, ColumnValue, ColumnVector } from '../../columns/index.ts';
import { createColumnBuilder } from '../../columns/index.ts';
import { createWorld } from '../../world.ts';
import { createLocalStorage } from '../storage/index.ts';
import { openParquetFile } from './read.ts';
import type { ParquetCodec, ParquetFileSummary } from './types.ts';
import { createParquetWriter } from './writer.ts';

const storage = createLocalStorage(createWorld());
let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-writer-'));
});
after(() => rm(folder, { recursive: true }));

type Row = readonly (ColumnValue | null)[];
let files = 0;

interface Written {
  readonly path: string;
  readonly summary: ParquetFileSummary;
  readonly metadata: FileMetaData;
  readonly rows: readonly Row[];
}

async function write(columns: readonly Column[], groups: readonly (readonly Row[])[], codec: ParquetCodec = 'zstd') {
  const batches = groups.map((rows) => ({
    rows: rows.length,
    columns: columns.map((column, at) => build(column, rows, at)),
  }));
  return writeBatches(columns, batches, codec);
}

function build(column: Column, rows: readonly Row[], at: number): ColumnVector {
  const builder = createColumnBuilder(column, 16);
  for (const row of rows) builder.append(row[at]!);
  return builder.finish();
}

async function writeBatches(
  columns: readonly Column[],
  batches: readonly { rows: number; columns: readonly ColumnVector[] }[],
  codec: ParquetCodec,
): Promise<Written> {
  const path = join(folder, `${files++}.parquet`);
  const output = await storage.createFile(path);
  const writer = await createParquetWriter({
    columns: columns.map((column, at) => ({ column, fieldId: at + 11 })),
    codec,
    output,
  });
  for (const batch of batches) await writer.write(batch);
  const summary = await writer.close();
  const file = await openParquetFile(storage, path);
  const rows = await file.readRange(
    columns.map((column) => column.name),
    { start: 0, end: file.rows },
  );
  return { path, summary, metadata: file.metadata, rows };
}

const types: readonly ColumnType[] = [
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'decimal', precision: 9, scale: 2 },
  { kind: 'decimal', precision: 18, scale: 0 },
  { kind: 'decimal', precision: 38, scale: 10 },
  { kind: 'timestamp' },
  { kind: 'string' },
];
const nameOf = (type: ColumnType): string => (type.kind === 'decimal' ? `decimal${type.precision}` : type.kind);
const codecs: readonly ParquetCodec[] = ['zstd', 'snappy', 'gzip', 'none'];

const nines = (digits: number): bigint => 10n ** BigInt(digits) - 1n;
function extremes(type: ColumnType): readonly ColumnValue[] {
  switch (type.kind) {
    case 'boolean':
      return [true, false];
    case 'int':
      return [2 ** 31 - 1, -(2 ** 31), 0, -1];
    case 'long':
    case 'timestamp':
      return [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n, 2n ** 32n, -(2n ** 32n)];
    case 'float':
      return [NaN, Infinity, -Infinity, -0, 0, Math.fround(0.1), Math.fround(3.4e38), Math.fround(1e-45)];
    case 'double':
      return [NaN, Infinity, -Infinity, -0, 0, 0.1, Number.MAX_VALUE, Number.MIN_VALUE];
    case 'decimal':
      return [nines(type.precision), -nines(type.precision), 0n, -1n];
    case 'string':
      return ['', 'a', '😀 non-BMP 𝒳', 'x'.repeat(1 << 20), '\u0000', 'ÿ', 'penstock'];
  }
}

function randomValue(type: ColumnType, spread: number): ColumnValue {
  const draw = Math.floor(Math.random() * spread) - Math.floor(spread / 2);
  switch (type.kind) {
    case 'boolean':
      return draw % 2 === 0;
    case 'int':
      return draw;
    case 'float':
      return Math.fround(draw / 3);
    case 'double':
      return draw / 3;
    case 'string':
      return `value ${draw} ${'é'.repeat(Math.abs(draw) % 40)}`;
    case 'decimal':
      return (BigInt(draw) * nines(type.precision)) / BigInt(spread);
    default:
      return BigInt(draw) * 4_294_967_311n;
  }
}

function makeRows(
  type: ColumnType,
  count: number,
  { spread, nullShare }: { spread: number; nullShare: number },
): Row[] {
  return Array.from({ length: count }, () => [Math.random() < nullShare ? null : randomValue(type, spread)]);
}

describe('a written Parquet file reads back exactly', () => {
  for (const type of types) {
    for (const codec of codecs) {
      it(`${nameOf(type)} with ${codec}: without nulls, with some, with only nulls, extremes`, async () => {
        const column = { name: 'c', type, nullable: true };
        const groups = [
          extremes(type).map((value) => [value]),
          makeRows(type, 1000, { spread: 20, nullShare: 0 }),
          makeRows(type, 1003, { spread: 20, nullShare: 0.3 }),
          makeRows(type, 10_007, { spread: 1e9, nullShare: 0.1 }),
          makeRows(type, 17, { spread: 20, nullShare: 1 }),
          [],
          makeRows(type, 1, { spread: 20, nullShare: 0 }),
        ];
        const { rows, summary } = await write([column], groups, codec);
        assert.deepEqual(rows, groups.flat());
        assert.equal(summary.rows, groups.flat().length);
        assert.equal(summary.columns[0]!.nulls, groups.flat().filter(([value]) => value === null).length);
      });
    }

    it(`${nameOf(type)} in a required column and as a constant`, async () => {
      const column = { name: 'c', type, nullable: false };
      const values = extremes(type).filter((value) => typeof value !== 'string' || value.length < 1000);
      for (const value of values) {
        const constant = { ...build(column, [[value]], 0), constant: true };
        const plain = build(column, [[value], [value]], 0);
        const batches = [
          { rows: 100_000, columns: [constant] },
          { rows: 2, columns: [plain] },
        ];
        const { rows, summary } = await writeBatches([column], batches, 'zstd');
        assert.equal(rows.length, 100_002);
        assert.ok(rows.every(([read]) => Object.is(read, value)));
        const [statistics] = summary.columns;
        assert.equal(statistics!.nans, Number.isNaN(value) ? 100_002 : 0);
        if (typeof value !== 'string' || value.length < 1000)
          assert.ok(summary.bytes < 20_000, `${summary.bytes} bytes`);
      }
    });
  }

  it('a file without rows', async () => {
    const { rows, summary } = await write([{ name: 'c', type: { kind: 'string' }, nullable: true }], []);
    assert.deepEqual(rows, []);
    assert.deepEqual(summary.splitOffsets, []);
    assert.equal(summary.columns[0]!.lower, undefined);
  });

  it('more rows than one page takes, with nulls, in several pages', async () => {
    const columns: Column[] = [
      { name: 'codes', type: { kind: 'int' }, nullable: true },
      { name: 'text', type: { kind: 'string' }, nullable: true },
      { name: 'flag', type: { kind: 'boolean' }, nullable: true },
      { name: 'number', type: { kind: 'long' }, nullable: true },
    ];
    const rows: Row[] = Array.from({ length: 300_001 }, (_, i) => [
      i % 3 === 0 ? null : i % 100,
      i % 5 === 0 ? null : `text ${i} ${'-'.repeat(i % 20)}`,
      i % 7 === 0 ? null : i % 2 === 0,
      i % 11 === 0 ? null : BigInt(i) * 7_777_777_777n,
    ]);
    const { rows: read, metadata } = await write(columns, [rows]);
    assert.deepEqual(read, rows);
    const pages = metadata.row_groups[0]!.columns.map(({ meta_data: chunk }) => chunk!.encoding_stats!.at(-1)!.count);
    assert.ok(pages[0]! >= 3 && pages[1]! > 5, `${pages}`);
  });

  it('random tables of every type at once, many row groups', async () => {
    const columns = types.map((type) => ({ name: nameOf(type), type, nullable: true }));
    const groups = Array.from({ length: 8 }, () =>
      Array.from({ length: 1 + Math.floor(Math.random() * 700) }, () =>
        types.map((type) => (Math.random() < 0.2 ? null : randomValue(type, 1000))),
      ),
    );
    const { rows, summary } = await write(columns, groups, 'snappy');
    assert.deepEqual(rows, groups.flat());
    assert.equal(summary.splitOffsets.length, 8);
  });

  it('an independent reader with default settings sees decimals, times and text', async () => {
    const columns: Column[] = [
      { name: 'price', type: { kind: 'decimal', precision: 10, scale: 2 }, nullable: true },
      { name: 'at', type: { kind: 'timestamp' }, nullable: false },
      { name: 'word', type: { kind: 'string' }, nullable: true },
    ];
    const { path } = await write(columns, [
      [
        [1234n, 1_700_000_000_000_000n, 'wörd'],
        [null, 0n, null],
      ],
    ]);
    const bytes = await readFile(path);
    const buffer = new Uint8Array(bytes).buffer;
    assert.deepEqual(await parquetReadObjects({ file: buffer, compressors }), [
      { price: 12.34, at: new Date(1_700_000_000_000), word: 'wörd' },
      { price: null, at: new Date(0), word: null },
    ]);
  });
});

describe('the footer of a Parquet file', () => {
  it('carries field ids, logical types, repetition and the writer', async () => {
    const columns = types.map((type, at) => ({ name: nameOf(type), type, nullable: at % 2 === 0 }));
    const { metadata } = await write(columns, [[types.map((type) => randomValue(type, 10))]]);
    assert.equal(metadata.created_by, 'penstock');
    const elements = metadata.schema.slice(1);
    assert.deepEqual(
      elements.map((element) => element.field_id),
      types.map((_, at) => at + 11),
    );
    assert.deepEqual(
      elements.map((element) => element.repetition_type === 'OPTIONAL'),
      columns.map((c) => c.nullable),
    );
    const byName = new Map(elements.map((element) => [element.name, element]));
    assert.deepEqual(byName.get('decimal38')!.logical_type, { type: 'DECIMAL', precision: 38, scale: 10 });
    assert.equal(byName.get('decimal38')!.type_length, 16);
    assert.equal(byName.get('decimal9')!.type, 'INT32');
    assert.equal(byName.get('decimal18')!.type, 'INT64');
    assert.deepEqual(byName.get('timestamp')!.logical_type, {
      type: 'TIMESTAMP',
      isAdjustedToUTC: true,
      unit: 'MICROS',
    });
    assert.deepEqual(byName.get('string')!.logical_type, { type: 'STRING' });
  });

  it('bounds long text by a prefix below and a raised prefix above, and says that they are not exact', async () => {
    const text = `${'ä'.repeat(40)}z`;
    const { metadata, summary } = await write(
      [{ name: 't', type: { kind: 'string' }, nullable: true }],
      [[[text], ['b']]],
    );
    const statistics = metadata.row_groups[0]!.columns[0]!.meta_data!.statistics!;
    assert.equal(statistics.min_value, 'b');
    assert.equal(statistics.is_min_value_exact, true);
    assert.equal(statistics.max_value, `${'ä'.repeat(31)}å`);
    assert.equal(statistics.is_max_value_exact, false);
    assert.equal(Buffer.from(summary.columns[0]!.upper!).toString(), text);
  });

  it('has no upper bound for text that nothing short can bound', async () => {
    const text = '\u{10ffff}'.repeat(20);
    const { metadata } = await write([{ name: 't', type: { kind: 'string' }, nullable: true }], [[[text]]]);
    const statistics = metadata.row_groups[0]!.columns[0]!.meta_data!.statistics!;
    assert.equal(statistics.max_value, undefined);
    assert.equal(statistics.min_value, '\u{10ffff}'.repeat(16));
  });
});

describe('the summary of a Parquet file', () => {
  const summarize = async (type: ColumnType, groups: readonly (readonly (ColumnValue | null)[])[]) => {
    const rows = groups.map((values) => values.map((value) => [value]));
    const { summary } = await write([{ name: 'c', type, nullable: true }], rows);
    return summary.columns[0]!;
  };
  const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');

  it('spells bounds in the single-value form of Iceberg', async () => {
    const bounds = async (type: ColumnType, values: readonly ColumnValue[]) => {
      const { lower, upper } = await summarize(type, [values, [null]]);
      return [hex(lower), hex(upper)];
    };
    assert.deepEqual(await bounds({ kind: 'boolean' }, [true, false]), ['00', '01']);
    assert.deepEqual(await bounds({ kind: 'int' }, [1, -2]), ['feffffff', '01000000']);
    assert.deepEqual(await bounds({ kind: 'long' }, [1n, -2n]), ['feffffffffffffff', '0100000000000000']);
    assert.deepEqual(await bounds({ kind: 'float' }, [1, -0]), ['00000080', '0000803f']);
    assert.deepEqual(await bounds({ kind: 'double' }, [0, -1]), ['000000000000f0bf', '0000000000000000']);
    assert.deepEqual(await bounds({ kind: 'decimal', precision: 5, scale: 2 }, [128n, -1n]), ['ff', '0080']);
    assert.deepEqual(await bounds({ kind: 'decimal', precision: 12, scale: 2 }, [0n, -129n]), ['ff7f', '00']);
    assert.deepEqual(await bounds({ kind: 'decimal', precision: 30, scale: 0 }, [2n ** 64n, -(2n ** 64n)]), [
      'ff0000000000000000',
      '010000000000000000',
    ]);
    assert.deepEqual(await bounds({ kind: 'string' }, ['é', 'z', '😀']), ['7a', 'f09f9880']);
  });

  it('never takes NaN for a bound, counts every one, and widens zeros by their sign', async () => {
    const mixed = await summarize({ kind: 'double' }, [[NaN, 1, NaN, null], Array.from({ length: 100 }, () => NaN)]);
    assert.equal(mixed.nans, 102);
    assert.equal(hex(mixed.lower), '000000000000f03f');
    const only = await summarize({ kind: 'float' }, [[NaN, NaN]]);
    assert.deepEqual([only.lower, only.upper, only.nans], [undefined, undefined, 2]);
    const zeros = await summarize({ kind: 'double' }, [[0, -0]]);
    assert.deepEqual([hex(zeros.lower), hex(zeros.upper)], ['0000000000000080', '0000000000000000']);
  });

  it('agrees with the rows on random values of every type', async () => {
    for (const type of types) {
      const values = Array.from({ length: 3000 }, () => (Math.random() < 0.1 ? null : randomValue(type, 1e6)));
      const { lower, upper, nulls, values: count } = await summarize(type, [values.slice(0, 1000), values.slice(1000)]);
      const present = values.filter((value) => value !== null);
      assert.deepEqual([nulls, count], [values.length - present.length, values.length]);
      const ordered = [...present].sort((a, b) =>
        typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(b as string)) : a < b ? -1 : a > b ? 1 : 0,
      );
      const least = await summarize(type, [[ordered[0]!]]);
      const greatest = await summarize(type, [[ordered.at(-1)!]]);
      assert.deepEqual([hex(lower), hex(upper)], [hex(least.lower), hex(greatest.upper)], nameOf(type));
    }
  });
});

describe('a batch that does not fit its file', () => {
  it('is refused when a required column has nulls, without a word about values', async () => {
    const optional = build({ name: 'c', type: { kind: 'int' }, nullable: true }, [[1], [null]], 0);
    const required = { name: 'c', type: { kind: 'int' }, nullable: false } as const;
    await assert.rejects(writeBatches([required], [{ rows: 2, columns: [optional] }], 'zstd'), {
      kind: 'value_refused',
    });
  });

  it('is refused when types differ', async () => {
    const longs = build({ name: 'c', type: { kind: 'long' }, nullable: true }, [[1n]], 0);
    const column = { name: 'c', type: { kind: 'int' }, nullable: true } as const;
    await assert.rejects(writeBatches([column], [{ rows: 1, columns: [longs] }], 'zstd'), { kind: 'internal' });
  });
});

describe('memory of bounds', () => {
  it('is little, however long texts are, and what is kept says the same in the footer', async () => {
    const column = { name: 't', type: { kind: 'string' }, nullable: true } as const;
    const long = (first: string): string => `${first}${'x'.repeat(1_000_000)}`;
    const { metadata, summary } = await write(
      [column],
      [
        [[long('b')], [long('a')]],
        [[long('c')], ['cd']],
      ],
    );
    const { lower, upper } = summary.columns[0]!;
    assert.equal(Buffer.from(lower!).toString(), long('a').slice(0, lower!.length));
    assert.equal(Buffer.from(upper!).toString(), long('c').slice(0, upper!.length));
    // A folder's longest path is 4096 bytes; bounds of position deletes are whole paths.
    for (const bound of [lower!, upper!]) assert.ok(bound.length > 4096 && bound.length <= 16_384, `${bound.length}`);
    assert.equal(lower!.buffer.byteLength, lower!.length, 'no view of the whole text');
    const { statistics } = metadata.row_groups[1]!.columns[0]!.meta_data!;
    assert.equal(statistics!.min_value, 'cd');
    assert.equal(statistics!.max_value, `c${'x'.repeat(62)}y`);
  });
});

describe('memory of pages', () => {
  it('is given back as soon as the output has taken them, whatever the codec', async () => {
    const column = { name: 'c', type: { kind: 'double' }, nullable: false } as const;
    const numbers = Array.from({ length: 60_000 }, () => [Math.random()] as const);
    for (const codec of ['none', 'snappy', 'gzip', 'zstd'] as const) {
      const taken: Uint8Array[] = [];
      const output = { write: async (pieces: readonly Uint8Array[]) => void taken.push(...pieces) };
      const nothing = { close: async () => {}, abort: async () => {} };
      const writer = await createParquetWriter({
        columns: [{ column, fieldId: 1 }],
        codec,
        output: { ...output, ...nothing },
      });
      await writer.write({ rows: numbers.length, columns: [build(column, numbers, 0)] });
      assert.ok(writer.bytes > 400_000, codec);
      assert.ok(taken.reduce((sum, piece) => sum + piece.length, 0) < 1000, codec);
    }
  });
});
