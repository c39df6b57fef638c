import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSource, startTestSource, type TestSource } from '../../../test/support/source.ts';
import { createDigester } from '../kit/index.ts';
import { connector } from './index.ts';

let place: TestSource;
before(async () => (place = await startTestSource()));
after(async () => place.stop());

const { signal } = new AbortController();

const TABLE = `create table odd (id bigint primary key, flag bool, small int2, real4 float4, real8 float8,
  money numeric(12,3), wide numeric, day date, moment timestamp, instant timestamptz, label text, code char(5), doc jsonb,
  raw json, mark uuid, bytes bytea, many int[], span interval)`;
const ROWS = `insert into odd values
  (1, true, -7, 0.1, 1e21, 12.5, 1e-20, '2024-02-29', '1999-12-31 23:59:59.999999', '2024-01-01 00:00+02', 'a''b|', 'x', '{"a": 1}',
   '{"b":  2}', '00000000-0000-0000-0000-000000000001', '\\x00ff', '{1,2}', '1 day'),
  (2, false, 0, 'NaN', '-Infinity', -0.001, 5, 'infinity', '-infinity', '0001-01-01 00:00+00', 'ünï', '', 'null', '[]', null, '', '{}', '0'),
  (3, null, null, '-0', '-0', 0, null, null, null, null, null, null, null, null, null, null, null, null),
  (4, true, 32767, 3.4e38, 5e-324, 999999999.999, 12345678901234567890, '4713-01-01 BC', '9999-12-31', '294276-12-31 00:00+00', '', '     ', '[]', '1', null, null, null, null)`;

/** The digest of the rows as the readers bring them. */
async function digestOfRead(table = 'odd'): Promise<unknown> {
  const { session, stream } = await openSource(connector, place.config);
  try {
    const selection = await stream(table);
    const key = selection.primaryKey.map((name) => selection.columns.findIndex((column) => column.name === name));
    const digester = createDigester({ columns: selection.columns.map((_, at) => at), key, buckets: 8 });
    const plan = await session.planLoad(selection, { targetBytes: 1 << 20, signal });
    for (const chunk of plan.chunks) {
      await session.readChunk(selection, {
        chunk,
        signal,
        sink: async (batch) => digester.add(batch),
        refuse: (row) => assert.fail(row.reason),
        batchRows: 3,
        batchBytes: 1 << 20,
      });
    }
    return digester.finish();
  } finally {
    await session.close();
  }
}

async function digestOfServer(table = 'odd'): Promise<unknown> {
  const { session, stream } = await openSource(connector, place.config);
  try {
    const selection = await stream(table);
    const digest = await session.digest!(selection, { buckets: 8, signal });
    assert.deepEqual(
      digest.columns,
      selection.columns.map((column) => column.name),
    );
    return digest.buckets;
  } finally {
    await session.close();
  }
}

test('the server computes the same digest as the rows that are read from it, for every type and its extremes', async () => {
  await place.run(TABLE);
  await place.run(ROWS);
  assert.deepEqual(await digestOfServer(), await digestOfRead());
});

test('one flipped value changes exactly the bucket of its row', async () => {
  const earlier = (await digestOfServer()) as readonly unknown[];
  await place.run(`update odd set label = 'a''c|' where id = 1`);
  const now = (await digestOfServer()) as readonly unknown[];
  assert.equal(now.filter((bucket, at) => JSON.stringify(bucket) !== JSON.stringify(earlier[at])).length, 1);
});

test('rows without a key are all in one bucket, the same on both sides', async () => {
  await place.run('create table keyless (v int)');
  await place.run('insert into keyless values (1), (1), (null)');
  assert.deepEqual(await digestOfServer('keyless'), await digestOfRead('keyless'));
});
