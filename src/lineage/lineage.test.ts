import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { createEngine, installQueue } from '../engine/index.ts';
import type { Component, Deliverer, OpenEngine, RunObserver } from '../engine/index.ts';
import { Failure } from '../errors.ts';
import { createWorld } from '../world.ts';
import { createLineage } from './index.ts';

const KEY = 'key-of-the-receiver';
const ORDERS = { namespace: 'postgres://db.tern.example:5432', name: 'shop.public.orders' };
const TABLE = { namespace: 's3://lake', name: 'shop_public.orders' };

/** What `penstock.sync` leaves in the output of its task. */
const told = {
  inputs: [{ ...ORDERS, fields: [{ name: 'Id', type: 'bigint' }] }],
  outputs: [{ ...TABLE, fields: [{ name: 'id', type: 'long' }], from: { id: [{ ...ORDERS, field: 'Id' }] }, rows: 7 }],
};

let test: TestStore;
let engine: OpenEngine;
let folder: string;
let file: string;
// oxlint-disable-next-line typescript/no-explicit-any -- JSON of the standard
type Json = Record<string, any>;
const received: { body: Json; key: string | undefined }[] = [];
let refusals = 1;
const receiver = createServer((request, response) => {
  let text = '';
  request.on('data', (part: Buffer) => (text += part.toString()));
  request.on('end', () => {
    // The first delivery is refused: the outbox has to come again.
    if (refusals-- > 0) return void response.writeHead(503).end();
    received.push({ body: JSON.parse(text), key: request.headers.authorization });
    response.writeHead(201).end();
  });
});

const copies: Component = {
  name: 'copies',
  execute: async () => ({ outcome: 'succeeded', output: { lineage: told } }),
};
const starts: Component = {
  name: 'starts',
  async execute(attempt) {
    const phases = [[{ key: 'a', component: 'fails', input: null }]];
    const plan = { kind: 'sync', project: 'olake', definition: 'sync.job/6', phases };
    const { runId } = await attempt.startChild(plan);
    await engine.settled(runId, 20_000);
    return { outcome: 'succeeded' };
  },
};
const fails: Component = {
  name: 'fails',
  execute: async () => {
    throw new Failure('object_missing', 'the table orders is gone');
  },
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lineage-'));
  file = join(folder, 'events.ndjson');
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  test = await createTestStore({ prepare: installQueue });
  const observers: RunObserver[] = [];
  const deliverers: Record<string, Deliverer> = {};
  const world = createWorld();
  const settings = { slots: 2, leaseSeconds: 10 };
  const components = [copies, starts, fails];
  engine = await createEngine({ store: test.store, world, components, observers, deliverers, settings });
  const config = {
    lineageUrl: `http://127.0.0.1:${port}/api/v1/lineage`,
    lineageKey: KEY,
    lineageFile: file,
    publicUrl: 'https://penstock.tern.example',
  };
  const lineage = createLineage({ config, engine, version: '1.2.3' });
  observers.push(...lineage.observers);
  Object.assign(deliverers, lineage.deliverers);
  await engine.startWorker();
});

after(async () => {
  await engine?.close();
  await test?.close();
  receiver.close();
  await rm(folder, { recursive: true, force: true });
});

async function run(component: string, more: { definition: string }): Promise<void> {
  const phases = [[{ key: 'a', component, input: null }]];
  const { runId } = await engine.start({ kind: 'sync', project: 'olake', trigger: 'api', phases, ...more });
  await engine.settled(runId, 20_000);
}

/** Events of the receiver that are of this job, once there are two: start and end. */
async function eventsOf(job: string): Promise<Json[]> {
  for (;;) {
    const events = received.map(({ body }) => body).filter((event) => event['job'].name === job);
    const types = new Set(events.map((event) => event['eventType']));
    if (types.size >= 2) return events;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('lineage', () => {
  it('tells of start and end of a sync, of what it read and wrote, and of the columns that became columns', async () => {
    await run('copies', { definition: 'sync.job/4' });
    const events = await eventsOf('sync.job.4');
    const start = events.find((event) => event['eventType'] === 'START')!;
    const end = events.find((event) => event['eventType'] === 'COMPLETE')!;
    assert.equal(start['run'].runId, end['run'].runId);
    assert.match(end['run'].runId, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(end['schemaURL'], 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent');
    assert.equal(end['producer'], 'https://penstock.tern.example');
    assert.deepEqual(end['job'].namespace, 'penstock/olake');
    assert.deepEqual([end['inputs'][0].namespace, end['inputs'][0].name], [ORDERS.namespace, ORDERS.name]);
    const [output] = end['outputs'];
    assert.equal(output.outputFacets.outputStatistics.rowCount, 7);
    assert.deepEqual(output.facets.schema.fields, [{ name: 'id', type: 'long' }]);
    const [origin] = output.facets.columnLineage.fields.id.inputFields;
    assert.deepEqual([origin.namespace, origin.name, origin.field], [ORDERS.namespace, ORDERS.name, 'Id']);
    assert.deepEqual(start['outputs'], []);
  });

  it('sends the key, and comes again to a receiver that was away', async () => {
    await eventsOf('sync.job.4');
    assert.ok(refusals < 0, 'the first delivery was refused');
    assert.ok(received.every(({ key }) => key === `Bearer ${KEY}`));
  });

  it('tells of a failure with its cause, and of the run that started it', async () => {
    await run('starts', { definition: 'sync.job/5' });
    const end = (await eventsOf('sync.job.6')).find((event) => event['eventType'] === 'FAIL')!;
    assert.equal(end['run'].facets.errorMessage.message, 'the table orders is gone');
    assert.equal(end['run'].facets.parent.job.name, 'sync.job.5');
    const parentEvents = await eventsOf('sync.job.5');
    assert.equal(end['run'].facets.parent.run.runId, parentEvents[0]!['run'].runId);
  });

  it('writes each event as a line of the file, too', async () => {
    await eventsOf('sync.job.6');
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const jobs = new Set(lines.map((line) => (JSON.parse(line) as { job: { name: string } }).job.name));
    assert.deepEqual(jobs, new Set(['sync.job.4', 'sync.job.5', 'sync.job.6']));
  });

  it('does nothing where nobody is to be told', () => {
    const config = { lineageUrl: null, lineageKey: null, lineageFile: null, publicUrl: null };
    assert.deepEqual(createLineage({ config, engine, version: '1' }), { observers: [], deliverers: {} });
  });
});
