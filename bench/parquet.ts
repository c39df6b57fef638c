/**
 * Processor time of the Parquet writer alone: 20 columns shaped like the NYC taxi table, made up here, written again and
 * again into nothing. Usage: `node bin/run.cjs bench/parquet.ts [rows in millions] [codec]`.
 */
import type { Column, ColumnBatch, ColumnType, ColumnVector } from '../src/columns/index.ts';
import type { OutputFile, ParquetCodec } from '../src/lakehouse/index.ts';
import { createParquetWriter } from '../src/lakehouse/index.ts';

const GROUP_ROWS = 122_880;
const codec = (process.argv[3] ?? 'zstd') as ParquetCodec;

let seed = 42;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}

const long: ColumnType = { kind: 'long' };
const int: ColumnType = { kind: 'int' };
const double: ColumnType = { kind: 'double' };
const money: ColumnType = { kind: 'decimal', precision: 10, scale: 2 };
const timestamp: ColumnType = { kind: 'timestamp' };

type Maker = (row: number) => number | null | string;
const sometimes =
  (maker: Maker): Maker =>
  (row) =>
    random() < 0.035 ? null : maker(row);
const trips: readonly (readonly [string, ColumnType, Maker])[] = [
  ['id', long, (row) => row + 1],
  ['vendorid', int, () => 1 + Math.round(random() * 1.3)],
  ['pickup', timestamp, (row) => 1_704_067_200_000_000 + row * 3_155_760 + Math.floor(random() * 1e6)],
  ['dropoff', timestamp, (row) => 1_704_067_260_000_000 + row * 3_155_760 + Math.floor(random() * 3600) * 1_000_000],
  ['passenger_count', int, sometimes(() => 1 + Math.round(random() * random() * 5))],
  ['trip_distance', double, () => Math.round(random() * random() * 2000) / 100],
  ['ratecodeid', int, sometimes(() => (random() < 0.95 ? 1 : 2 + Math.round(random() * 4)))],
  ['store_and_fwd_flag', { kind: 'string' }, sometimes(() => (random() < 0.99 ? 'N' : 'Y'))],
  ['pulocationid', int, () => 1 + Math.round(random() * 264)],
  ['dolocationid', int, () => 1 + Math.round(random() * 264)],
  ['payment_type', int, () => 1 + Math.round(random() * 3)],
  ['fare_amount', money, () => Math.round(300 + random() * random() * 8000)],
  ['extra', money, () => (random() < 0.5 ? 0 : random() < 0.5 ? 250 : 100)],
  ['mta_tax', money, () => 50],
  ['tip_amount', money, () => (random() < 0.3 ? 0 : Math.round(random() * 1200))],
  ['tolls_amount', money, () => (random() < 0.93 ? 0 : 655)],
  ['improvement_surcharge', money, () => 100],
  ['total_amount', double, () => Math.round(700 + random() * 9000) / 100],
  ['congestion_surcharge', double, sometimes(() => 2.5)],
  ['airport_fee', double, sometimes(() => (random() < 0.9 ? 0 : 1.75))],
];

function makeVector(column: Column, maker: Maker): ColumnVector {
  const wide = column.type.kind === 'long' || column.type.kind === 'timestamp' || column.type.kind === 'decimal';
  const doubles = new Float64Array(GROUP_ROWS);
  const lanes = new Int32Array(GROUP_ROWS * 2 + 1);
  const heap = new Uint8Array(GROUP_ROWS * 2);
  const validity = new Uint8Array((GROUP_ROWS >> 3) + 1);
  let count = 0;
  for (let row = 0; row < GROUP_ROWS; row++) {
    const value = maker(row);
    if (value === null) continue;
    validity[row >> 3]! |= 1 << (row & 7);
    if (typeof value === 'string') {
      heap[count] = value.charCodeAt(0);
      lanes[count + 1] = count + 1;
    } else if (column.type.kind === 'double') doubles[count] = value;
    else if (wide) {
      lanes[2 * count] = value | 0;
      lanes[2 * count + 1] = Math.floor(value / 2 ** 32);
    } else lanes[count] = value;
    count++;
  }
  const values = column.type.kind === 'double' ? doubles : lanes;
  return { column, values, heap, validity, nulls: GROUP_ROWS - count, count };
}

const columns = trips.map(([name, type]) => ({ name, type, nullable: true }));
const batch: ColumnBatch = {
  rows: GROUP_ROWS,
  columns: columns.map((column, at) => makeVector(column, trips[at]![2])),
};
const nowhere: OutputFile = { write: async () => {}, close: async () => {}, abort: async () => {} };

async function writeRows(rows: number): Promise<number> {
  const writer = await createParquetWriter({
    columns: columns.map((column, at) => ({ column, fieldId: at + 1 })),
    codec,
    output: nowhere,
  });
  while (writer.rows < rows) await writer.write(batch);
  await writer.close();
  return writer.bytes / writer.rows;
}

/** Processor and wall seconds per million rows, and bytes per row. */
async function measureWriter(millions: number): Promise<{ cpu: number; wall: number; bytesPerRow: number }> {
  await writeRows(2 * GROUP_ROWS);
  const cpuStart = process.cpuUsage();
  const start = performance.now();
  const bytesPerRow = await writeRows(millions * 1e6);
  const { user, system } = process.cpuUsage(cpuStart);
  const rows = Math.ceil((millions * 1e6) / GROUP_ROWS) * GROUP_ROWS;
  return { cpu: (user + system) / rows, wall: ((performance.now() - start) / rows) * 1000, bytesPerRow };
}

const { cpu, wall, bytesPerRow } = await measureWriter(Number(process.argv[2] ?? '4'));
const peak = process.resourceUsage().maxRSS / 1024;
console.log(
  `${codec}: ${cpu.toFixed(3)} processor s and ${wall.toFixed(3)} wall s per million rows, ` +
    `${bytesPerRow.toFixed(1)} bytes per row, ${peak.toFixed(0)} MB peak`,
);
