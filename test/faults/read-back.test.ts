import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { GOLDEN_SETUP, GOLDENS } from '../support/postgres-types.ts';
import type { Golden } from '../support/postgres-types.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { assertRows } from './lake-checks.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, sourceRows } from './support/orders.ts';

const COLUMNS = GOLDENS.map((golden, at) => ({ name: `c${at}`, golden }));
const ROWS = Math.max(...GOLDENS.map(([, , values]) => values.length));

let source: TestSource;
let duck: DuckDBConnection;

before(async () => {
  source = await startTestSource();
  await source.run(GOLDEN_SETUP);
  await createOrders(source, 300);
  duck = await (await DuckDBInstance.create(':memory:')).connect();
  await duck.run(`set timezone = 'Asia/Kolkata'`);
});
after(async () => {
  duck?.closeSync();
  await source?.stop();
});

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A row for each value of each type; where a type has fewer, its column is null. */
async function createAllTypes(): Promise<void> {
  // A domain that is never null cannot lack a value.
  const typeOf = ([type]: Golden): string => (type === 'positive' ? 'int' : type);
  await source.run(
    `create table every_type (id int primary key, ${COLUMNS.map(({ name, golden }) => `${name} ${typeOf(golden)}`).join(', ')})`,
  );
  for (let row = 0; row <= ROWS; row++) {
    const values = COLUMNS.map(({ golden }) => golden[2][row]?.[0]).map((text) =>
      text === undefined ? 'null' : quoted(text),
    );
    await source.run(`insert into every_type values (${row}, ${values.join(', ')})`);
  }
}

/** The type that DuckDB is to find in a Parquet file. */
function duckType(lake: string): string {
  if (lake.startsWith('decimal')) return lake.toUpperCase();
  const types: Record<string, string> = {
    boolean: 'BOOLEAN',
    int: 'INTEGER',
    long: 'BIGINT',
    float: 'FLOAT',
    double: 'DOUBLE',
    string: 'VARCHAR',
    timestamp: 'TIMESTAMP WITH TIME ZONE',
  };
  return types[lake] ?? `no type for ${lake}`;
}

/** A value as DuckDB holds it, as text without loss; times as microseconds since 1970 in UTC. */
function spell({ name, golden }: (typeof COLUMNS)[number]): string {
  return golden[1] === 'timestamp' ? `epoch_us(${name})::varchar as ${name}` : `${name}::varchar as ${name}`;
}

function expected([, lake]: Golden, text: string): unknown {
  if (lake === 'timestamp') {
    const [, seconds, micros] = /^(.*)\.(\d{6})Z$/.exec(text)!;
    return String(BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(micros!));
  }
  return lake === 'float' || lake === 'double' ? Number(text) : text;
}

function found([, lake]: Golden, text: unknown): unknown {
  // It spells 0.5 of a type without digits before the point as .5
  if (lake.startsWith('decimal')) return text && String(text).replace(/^(-?)\./, '$10.');
  if (text === null || (lake !== 'float' && lake !== 'double')) return text;
  const number = text === 'nan' ? Number.NaN : Number(String(text).replace('inf', 'Infinity'));
  return lake === 'float' ? Math.fround(number) : number;
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  return (await duck.runAndReadAll(sql)).getRowObjectsJS();
}

const listed = (files: readonly string[]): string => `[${files.map(quoted).join(', ')}]`;

describe('a table as DuckDB reads it', () => {
  for (const destination of ['iceberg', 'parquet'] as const) {
    it(`has the types and values of the source, extremes and nulls too: ${destination}`, async () => {
      await source.run('drop table if exists every_type');
      await createAllTypes();
      const job = await createJob(source, { destination, mode: 'full_refresh', streams: ['every_type'] });
      try {
        const { failure } = await job.attempt();
        assert.equal(failure, undefined, failure?.message);
        const files = listed(await job.visibleFiles('every_type'));
        const types = new Map(
          (await query(`describe select * from read_parquet(${files})`)).map((row) => [
            row['column_name'],
            row['column_type'],
          ]),
        );
        const rows = await query(`select ${COLUMNS.map(spell).join(', ')} from read_parquet(${files}) order by id`);
        assert.equal(rows.length, ROWS + 1);
        for (const { name, golden } of COLUMNS) {
          const [type, lake, values] = golden;
          assert.equal(types.get(name), duckType(lake), type);
          const wanted = Array.from({ length: ROWS + 1 }, (_, row) =>
            values[row] === undefined ? null : expected(golden, values[row][1]),
          );
          const has = rows.map((row) => found(golden, row[name]));
          const same = wanted.every((value, row) => Object.is(value, has[row]) || (value === 0 && has[row] === 0));
          assert.ok(
            same,
            `${type}: ${JSON.stringify(has).slice(0, 500)} instead of ${JSON.stringify(wanted).slice(0, 500)}`,
          );
        }
      } finally {
        await job.remove();
      }
    });
  }

  it('holds each row once after upserts and compaction, without a delete to apply', async () => {
    const job = await createJob(source, { destination: 'iceberg', mode: 'incremental', streams: ['orders'] });
    try {
      for (const name of ['one', 'two', 'three']) {
        const { failure } = await job.attempt();
        assert.equal(failure, undefined, failure?.message);
        await source.run(`update orders set name = '${name}', at = now() where id % 7 = 3`);
      }
      const upkeep = await job.maintain({
        compact: { targetFileBytes: 64 << 20, minInputFiles: 2 },
        expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
        removeOrphans: { olderThanMs: -1000 },
      });
      assert.equal(upkeep.failure, undefined, upkeep.failure?.message);
      assert.ok(upkeep.result!.tables[0]!.removedDeleteFiles > 0);
      assert.equal((await job.attempt()).failure, undefined);
      assert.equal(
        (
          await job.maintain({
            compact: { targetFileBytes: 64 << 20, minInputFiles: 2 },
            expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
          })
        ).failure,
        undefined,
      );
      const wanted = await sourceRows(source);
      assertRows(lakeRows(await job.read()), wanted, 'icebird');
      const rows = await query(
        `select id::varchar || '|' || name || '|' || amount::varchar || '|' ||
           strftime("at" at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%g') || 'Z' as line
         from read_parquet(${listed(await job.visibleFiles())})`,
      );
      assertRows(rows.map((row) => String(row['line'])).toSorted(), wanted, 'DuckDB');
    } finally {
      await job.remove();
    }
  });
});
