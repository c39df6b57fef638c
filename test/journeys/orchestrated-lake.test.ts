import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { send } from '../conformance/olake/wire.ts';
import { dataOf, startProduct, type Product } from '../support/product.ts';
import { startTestSource, type TestSource } from '../support/source.ts';

const TOKEN = '1-1-0123456789abcdef0123456789abcdef01234567';
const PATIENCE_MS = 120_000;

let source: TestSource;
let product: Product;
let told: string;

before(async () => {
  source = await startTestSource();
  await source.run(`
    create table orders (id int primary key, amount numeric(20,4), placed timestamptz);
    insert into orders select n, n / 4.0, '2026-01-01'::timestamptz + n * interval '1 hour'
      from generate_series(1, 1000) n;
    create table totals (day date primary key, amount numeric)`);
  told = await mkdtemp(join(tmpdir(), 'told-'));
  const environment = { PENSTOCK_STORAGE_TOKEN: TOKEN, PENSTOCK_LINEAGE_FILE: join(told, 'events.jsonl') };
  product = await startProduct({ project: 'olake', environment });
});

after(async () => {
  await product?.close();
  await source?.stop();
  await rm(told, { recursive: true, force: true });
});

/** As a person of the sync face. */
async function sync<T>(method: string, path: string, body?: unknown): Promise<T> {
  return dataOf<T>(await product.call(method, path, body));
}

/** As a client of the orchestrator. */
async function orchestrator<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { 'X-StorageApi-Token': TOKEN, ...(body !== undefined && { 'content-type': 'application/json' }) };
  const text = body === undefined ? {} : { text: JSON.stringify(body) };
  const reply = await send(product.url, { method, path, headers, ...text });
  assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.body as T;
}

interface Result {
  readonly status: string;
  readonly response: {
    readonly result: Readonly<Record<string, unknown>> & { readonly rows: readonly unknown[] };
  };
}

async function runOrchestration(tasks: readonly object[]): Promise<{ status: string; results: { tasks: Result[] } }> {
  const { id } = await orchestrator<{ id: number }>('POST', '/orchestrations', { name: 'Nightly', tasks });
  const started = await orchestrator<{ id: number }>('POST', `/orchestrations/${id}/jobs`, {});
  for (const end = Date.now() + PATIENCE_MS; ;) {
    const job = await orchestrator<{ isFinished: boolean; status: string; results: { tasks: Result[] } }>(
      'GET',
      `/jobs/${started.id}`,
    );
    if (job.isFinished) return job;
    assert.ok(Date.now() < end, 'the job ends');
    await delay(100);
  }
}

async function addJob(): Promise<{ job: number; lake: string; source: number }> {
  const from = { name: 'shop', type: 'postgres', version: 'v1', config: JSON.stringify(source.config) };
  const { streams_config: streams } = await sync<{ streams_config: object }>('POST', '/sources/streams', {
    ...from,
    job_name: 'nightly',
  });
  const config = {
    type: 'ICEBERG',
    writer: { catalog_type: 'builtin', iceberg_s3_path: join(product.folder, 'lake') },
  };
  const { id } = await sync<{ id: number }>('POST', '/jobs', {
    name: 'nightly',
    source: from,
    destination: { name: 'lake', type: 'iceberg', version: 'v1', config: JSON.stringify(config) },
    frequency: 'manual',
    streams_config: streams,
  });
  const [{ stream }] = (streams as { streams: [{ stream: { destination_database: string } }] }).streams;
  const [one] = await sync<{ id: number }[]>('GET', '/sources');
  return { job: id, lake: stream.destination_database.replaceAll(':', '_'), source: one!.id };
}

interface LineageEvent {
  readonly eventType: string;
  readonly job: { readonly name: string };
  readonly inputs: readonly { readonly namespace: string; readonly name: string }[];
  readonly outputs: readonly { readonly namespace: string; readonly name: string }[];
}

/** The events of ends that name tables, once there are so many. */
async function endsWithTables(count: number): Promise<LineageEvent[]> {
  for (const end = Date.now() + PATIENCE_MS; ; await delay(100)) {
    const text = await readFile(join(told, 'events.jsonl'), 'utf8').catch(() => '');
    const events = text
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as LineageEvent);
    const ends = events.filter(({ eventType, outputs }) => eventType === 'COMPLETE' && outputs.length > 0);
    if (ends.length >= count) return ends;
    assert.ok(Date.now() < end, `lineage is told: ${text}`);
  }
}

describe('an orchestration over the lake', () => {
  it('syncs a table, sums it up in SQL over the lake, and writes to the database it came from', async () => {
    const { job, lake, source: sourceId } = await addJob();
    const tasks = [
      { component: 'penstock.sync', actionParameters: { jobId: job } },
      {
        component: 'sql.transformation',
        actionParameters: {
          statements: [
            `create or replace table daily as select placed::date as day, sum(amount) as amount from lake.${lake}.orders group by 1`,
            'select count(*) as days, sum(amount) as amount from daily where amount > :least',
          ],
          variables: { least: 0 },
        },
      },
      {
        component: 'sql.transformation',
        actionParameters: {
          statements: ['insert into totals values (:day, :amount)', 'select amount * 2 as twice from totals'],
          connection: { source: sourceId },
          variables: { day: '2026-01-01', amount: 21.5 },
        },
      },
    ];
    const { status, results } = await runOrchestration(tasks);
    assert.equal(status, 'success', JSON.stringify(results));
    const [synced, summed, written] = results.tasks.map(({ response }) => response.result);
    const runs = await sync<{ id: string; status: string }[]>('GET', `/jobs/${job}/tasks`);
    assert.equal(runs.length, 1);
    assert.equal(runs[0]!.status, 'Completed', 'the sync is seen from its own side');
    assert.equal(synced!['taskId'], runs[0]!.id);
    assert.equal(synced!['recordsWritten'], 1000);
    assert.deepEqual(summed!.rows, [{ days: 42, amount: '125125.0000' }]);
    assert.deepEqual(written!.rows, [{ twice: '43.0' }]);
    assert.deepEqual(await source.run('select amount::text from totals'), [{ amount: '21.5' }]);
    assert.deepEqual(Object.keys(summed!), ['statements', 'rows']);
  });

  it('is told as lineage from the source to the table that SQL has made, and to the one it wrote back', async () => {
    const ends = await endsWithTables(3);
    const name = ({ namespace, name: table }: LineageEvent['inputs'][number]) => `${namespace} ${table}`;
    const synced = ends.find(({ job }) => job.name.startsWith('sync.job'))!;
    const [made, written] = ends.filter(({ job }) => job.name === 'sql.transformation');
    const orders = synced.outputs.map(name).filter((table) => table.endsWith('.orders'));
    assert.equal(orders.length, 1);
    assert.deepEqual(made!.inputs.map(name), orders, 'the table that the sync wrote is the one that SQL read');
    assert.deepEqual(made!.outputs.map(name), ['penstock:sql/1 main.daily']);
    const totals = synced.inputs.map(name).filter((table) => table.endsWith('.totals'));
    assert.deepEqual(written!.outputs.map(name), totals, 'SQL wrote to a table that the sync read');
  });

  it('shows a mistake in a statement as one of the user, by its number', async () => {
    const { status, results } = await runOrchestration([
      { component: 'sql.transformation', actionParameters: { statements: ['select 1', 'select * from nowhere'] } },
    ]);
    assert.equal(status, 'error');
    assert.match(JSON.stringify(results.tasks[0]!.response), /Statement 2: .*nowhere/);
  });

  it('offers the components, and says why programs and containers are off', async () => {
    const components = await orchestrator<{ id: string; enabled: boolean }[]>('GET', '/components');
    const enabled = Object.fromEntries(components.map(({ id, enabled: isOn }) => [id, isOn]));
    assert.deepEqual(enabled, {
      orchestrator: true,
      'container.run': false,
      'http.call': true,
      'penstock.sync': true,
      'shell.run': false,
      'sql.transformation': true,
    });
  });
});
