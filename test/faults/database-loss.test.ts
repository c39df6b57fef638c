import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startTestPostgres } from '../support/postgres.ts';
import { startProduct, type Product } from '../support/product.ts';
import { send, type Reply } from '../conformance/olake/wire.ts';

/** Clients of this face give up after ten seconds. */
const PATIENCE_MS = 9000;

type Server = Awaited<ReturnType<typeof startTestPostgres>>;

let server: Server;
let product: Product;

before(async () => {
  server = await startTestPostgres({ supervise: true, durable: true });
  product = await startProduct({ database: server });
});

after(async () => {
  await product?.close();
  await server?.stop();
});

async function timed(path: string): Promise<Reply> {
  const start = performance.now();
  const reply = await send(product.url, { method: 'GET', path, headers: product.headers });
  const took = performance.now() - start;
  assert.ok(took < PATIENCE_MS, `${path} took ${Math.round(took)} ms`);
  return reply;
}

it('answers at once that it cannot work while its database is away, and works again after it is back', async () => {
  const seen = new Set<number>();
  const paths = ['/api/v1/project/p/jobs', '/auth', '/api/v1/users', '/api/v1/project/p/settings'];
  for (let round = 0; round < 2; round++) {
    server.kill();
    let isAway = false;
    for (;;) {
      const replies = await Promise.all(paths.map(timed));
      for (const reply of replies) {
        seen.add(reply.status);
        assert.ok([200, 503].includes(reply.status), reply.text);
        if (reply.status === 200) continue;
        isAway = true;
        assert.deepEqual(reply.body, { success: false, message: 'Service temporarily unavailable' });
        assert.ok(Number(reply.headers['retry-after']) > 0);
      }
      if (isAway && replies.every(({ status }) => status === 200)) break;
    }
  }
  assert.deepEqual([...seen].toSorted(), [200, 503]);
  assert.equal((await timed('/health')).status, 200);
  assert.equal((await timed('/ready')).status, 200);
});

it('answers 503 within the patience of its clients when no connection becomes free', async () => {
  const held = await Promise.all(Array.from({ length: 10 }, () => product.platform.store.pool.connect()));
  try {
    const replies = await Promise.all(Array.from({ length: 20 }, () => timed('/api/v1/project/p/jobs')));
    for (const { status } of replies) assert.equal(status, 503);
  } finally {
    for (const client of held) client.release();
  }
  assert.equal((await timed('/api/v1/project/p/jobs')).status, 200);
});
