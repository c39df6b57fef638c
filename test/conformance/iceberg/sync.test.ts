import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  createPointerTables,
  createStorage,
  openIcebergTable,
  type IcebergTable,
} from '../../../src/lakehouse/index.ts';
import {
  batchOf,
  checkpoint,
  orderColumns,
  readIndependently,
} from '../../../src/lakehouse/iceberg/table.test-support.ts';
import { catalogIn } from '../../../src/warehouse/index.ts';
import { createWorld } from '../../../src/world.ts';
import { call, startCatalog, type CatalogRig } from './rig.ts';

let rig: CatalogRig;
before(async () => {
  rig = await startCatalog();
});
after(() => rig.close());

/** Opens the table of a project as a sync does that uses the built-in catalog. */
function openAsSync(project: string): Promise<IcebergTable> {
  const world = createWorld();
  const storage = createStorage({ world });
  return openIcebergTable({
    storage,
    world,
    catalog: createPointerTables({ storage, world, catalog: catalogIn(rig.store.db, project) }),
    name: { database: 'shop', table: 'orders' },
    guard: async () => {},
    location: join(rig.folder, 'warehouse', project, 'shop', 'orders'),
    columns: orderColumns,
    identifierFields: true,
    identifier: '_olake_id',
    checkpointKey: `${project}/1/public.orders`,
    run: 'run-1',
    codec: 'zstd',
    targetFileBytes: 64 << 20,
  });
}

async function append(table: IcebergTable, seq: number, id: string): Promise<void> {
  const unit = table.beginUnit();
  await unit.write(batchOf(orderColumns, [[id, BigInt(seq)]]));
  await unit.commit('append', checkpoint(seq));
}

interface Loaded {
  readonly 'metadata-location': string;
  readonly metadata: IcebergTable['metadata'];
}

const path = (project: string): string => `/v1/${project}/namespaces/shop/tables/orders`;
const load = async (project: string): Promise<Loaded> =>
  (await call(rig, `GET ${path(project)}`)).body as unknown as Loaded;
const idsOf = async (project: string): Promise<unknown[]> =>
  (await readIndependently((await load(project)).metadata)).map((row) => row['_olake_id']).sort();

describe('a table that a sync writes', () => {
  it('is there for other engines with each commit', async () => {
    const table = await openAsSync('seen');
    assert.deepEqual((await call(rig, 'GET /v1/seen/namespaces')).body['namespaces'], [['shop']]);
    await append(table, 1, 'a');
    assert.deepEqual(await idsOf('seen'), ['a']);
    await append(table, 2, 'b');
    assert.deepEqual(await idsOf('seen'), ['a', 'b']);
    const { metadata } = await load('seen');
    assert.deepEqual(metadata, JSON.parse(JSON.stringify(table.metadata)));
    await table.close();
  });

  it('takes commits of engines between its own; both end up in it', async () => {
    const table = await openAsSync('between');
    await append(table, 1, 'a');
    const { metadata } = await load('between');
    const { 'snapshot-id': base, ...snapshot } = metadata.snapshots[0]!;
    const theirs = await call(rig, `POST ${path('between')}`, {
      body: {
        requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': base }],
        updates: [
          // The same files once more, as a compaction that changes no row leaves them.
          {
            action: 'add-snapshot',
            snapshot: {
              ...snapshot,
              'snapshot-id': 77,
              'parent-snapshot-id': base,
              'sequence-number': 2,
              summary: { operation: 'replace' },
            },
          },
          { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 77 },
          { action: 'set-properties', updates: { 'engine.note': 'kept' } },
        ],
      },
    });
    assert.equal(theirs.status, 200, theirs.text);
    await append(table, 2, 'b');
    const late = await call(rig, `POST ${path('between')}`, {
      body: {
        requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 77 }],
        updates: [{ action: 'set-properties', updates: { late: 'yes' } }],
      },
    });
    assert.equal(late.status, 409);
    const now = (await load('between')).metadata;
    assert.equal(now.properties['engine.note'], 'kept');
    assert.equal(now.properties['late'], undefined);
    assert.deepEqual(
      now.snapshots.map((one) => one['sequence-number']),
      [1, 2, 3],
    );
    assert.deepEqual(await idsOf('between'), ['a', 'b']);
    await table.close();
  });

  it('loses nothing while engines and the sync commit at the same time', async () => {
    const table = await openAsSync('rush');
    const sync = async (): Promise<void> => {
      for (let seq = 1; seq <= 8; seq++) await append(table, seq, `row-${seq}`);
    };
    const engine = async (key: string): Promise<void> => {
      for (let count = 1; count <= 4; count++) {
        const body = { updates: [{ action: 'set-properties', updates: { [`${key}.${count}`]: 'x' } }] };
        for (;;) {
          const { status } = await call(rig, `POST ${path('rush')}`, { body });
          if (status === 200) break;
          assert.equal(status, 409);
        }
      }
    };
    await Promise.all([sync(), engine('one'), engine('two')]);
    assert.equal((await idsOf('rush')).length, 8);
    const { properties } = (await load('rush')).metadata;
    assert.equal(Object.keys(properties).filter((key) => /^(one|two)\./.test(key)).length, 8);
    await table.close();
    const files = await readdir(join(rig.folder, 'warehouse', 'rush', 'shop', 'orders', 'metadata'));
    const { metadata, 'metadata-location': location } = await load('rush');
    const named = [location, ...metadata['metadata-log'].map((one) => one['metadata-file'])];
    const found = files.filter((file) => file.endsWith('.metadata.json'));
    assert.equal(found.length, named.length, 'what lost leaves no metadata file behind');
  });

  it('is not renamed away from its job, and dropped with all its files when asked', async () => {
    const table = await openAsSync('gone');
    await append(table, 1, 'a');
    await table.close();
    const rename = await call(rig, 'POST /v1/gone/tables/rename', {
      body: { source: { namespace: ['shop'], name: 'orders' }, destination: { namespace: ['shop'], name: 'other' } },
    });
    assert.equal(rename.status, 409);
    assert.equal((await call(rig, `DELETE ${path('gone')}?purgeRequested=true`)).status, 204);
    assert.deepEqual(await readdir(join(rig.folder, 'warehouse', 'gone', 'shop')), []);
    const again = await openAsSync('gone');
    assert.equal(again.checkpoint, undefined);
    await again.close();
  });
});
