import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connector } from '../../../src/connectors/iceberg/index.ts';
import { createStorage, loadTable, type CatalogPort } from '../../../src/lakehouse/index.ts';
import { batchOf, checkpoint, orderColumns } from '../../../src/lakehouse/iceberg/table.test-support.ts';
import { catalogIn } from '../../../src/warehouse/index.ts';
import { createWorld } from '../../../src/world.ts';
import { startS3, type TestS3 } from '../../support/s3.ts';
import { startCatalog, type CatalogRig } from './rig.ts';

const name = { database: 'shop', table: 'orders' };
let rig: CatalogRig;
let s3: TestS3;
let lender: Server;
let url: string;
let warehouse: string;
const lent: string[] = [];

/** Our catalog behind a door that lends the keys of the store with each table, as catalogs of others do. */
function startLender(): Promise<string> {
  lender = createServer((request, reply) => {
    const pass = async (): Promise<void> => {
      const body: Buffer[] = [];
      for await (const piece of request) body.push(piece as Buffer);
      const { authorization, 'content-type': type = 'application/json' } = request.headers;
      const answer = await fetch(new URL(request.url!, rig.url), {
        method: request.method!,
        headers: { ...(authorization && { authorization }), 'content-type': type },
        ...(body.length > 0 && { body: Buffer.concat(body) }),
      });
      const text = await answer.text();
      const lends = request.method === 'GET' && request.url!.endsWith('/tables/orders') && answer.status === 200;
      const wants = request.headers['x-iceberg-access-delegation'] === 'vended-credentials';
      const { endpoint, accessKey, secretKey } = s3.settings;
      const keys = { 's3.access-key-id': accessKey, 's3.secret-access-key': secretKey, 's3.endpoint': endpoint };
      if (lends && wants) lent.push(request.url!);
      const given = {
        ...keys,
        's3.path-style-access': 'true',
        's3.session-token-expires-at-ms': String(Date.now() + 1000),
      };
      reply.writeHead(answer.status, { 'content-type': 'application/json' });
      reply.end(lends && wants ? text.replace(/"config":\{\}/, `"config":${JSON.stringify(given)}`) : text);
    };
    pass().catch(() => reply.destroy());
  });
  return new Promise((resolve) =>
    lender.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(lender.address() as AddressInfo).port}/iceberg`)),
  );
}

before(async () => {
  [rig, s3] = await Promise.all([startCatalog(), startS3()]);
  warehouse = `s3://${await s3.makeBucket()}/lake`;
  rig.places.push({ root: warehouse, storage: createStorage({ world: createWorld(), s3: s3.settings }) });
  url = await startLender();
});
after(async () => {
  lender.closeAllConnections();
  lender.close();
  await Promise.all([rig.close(), s3.close()]);
});

describe('a destination without keys of its own', () => {
  it('writes with those that the catalog lends, and asks for new ones when they end', async () => {
    const context = {
      world: createWorld(),
      guard: async () => {},
      warehouse: '/nowhere',
      allowPath: () => {},
      log: () => {},
      signal: new AbortController().signal,
    };
    const config = {
      writer: {
        catalog_type: 'lakekeeper',
        rest_catalog_url: url,
        rest_auth_type: 'Token',
        token: rig.tokens.admin,
        warehouse: 'p',
        iceberg_s3_path: warehouse,
      },
    };
    await connector.check(config, context);
    const session = await connector.open(config, context);
    const asked = {
      name,
      columns: orderColumns,
      checkpointKey: 'p/1/public.orders',
      run: 'r',
      identifier: '_olake_id',
    };
    const table = await session.openTable(asked);
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['a', 1n]]));
    await unit.commit('append', { ...checkpoint(1), v: 1, job: 'p/1', stream: 's', mode: 'm' });
    const sofar = lent.length;
    assert.ok(sofar > 0);
    // The last keys end within a second.
    const until = Date.now() + 10_000;
    while (lent.length === sofar && Date.now() < until) {
      await table.readRows([]);
      const next = table.beginUnit();
      await next.write(batchOf(orderColumns, [['b', 1n]]));
      await next.abort();
    }
    assert.ok(lent.length > sofar);
    await table.close();
    const catalog: CatalogPort = catalogIn(rig.store.db, 'p');
    const { storage } = rig.places[0]!;
    const { metadata } = (await loadTable({ storage, catalog, name }))!;
    assert.equal(metadata.snapshots.length, 1);
    const left = (await storage.list(metadata.location)).filter((path) => path.endsWith('.open'));
    assert.deepEqual(left, [], 'the marker of an opening that began before the table was there is gone');
    assert.equal(await session.dropTable(name), true);
    assert.deepEqual(await storage.list(warehouse), []);
    await session.close();
  });
});
