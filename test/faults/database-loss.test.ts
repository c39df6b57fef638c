import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { readConfig } from '../../src/config.ts';
import { createPlatform, type Platform } from '../../src/platform.ts';
import { createWorld } from '../../src/world.ts';
import { startTestPostgres } from '../support/postgres.ts';
import { send, signIn, type Reply } from '../conformance/olake/wire.ts';

const ADMIN = { username: 'admin', password: 'correct horse' };
/** Clients of this face give up after ten seconds. */
const PATIENCE_MS = 9000;

type Server = Awaited<ReturnType<typeof startTestPostgres>>;

let folder: string;
let server: Server;
let platform: Platform;
let url: string;
let headers: Record<string, string>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-loss-'));
  server = await startTestPostgres({ supervise: true, durable: true });
  const config = readConfig({
    PENSTOCK_PORT: '0',
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_DATA_DIR: folder,
    PENSTOCK_DATABASE_URL: server.url,
    PENSTOCK_ADMIN_PASSWORD: ADMIN.password,
  });
  platform = await createPlatform(config, createWorld());
  url = (await platform.start())!;
  headers = await signIn(url, ADMIN);
});
after(async () => {
  await platform?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function timed(path: string): Promise<Reply> {
  const start = performance.now();
  const reply = await send(url, { method: 'GET', path, headers });
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
  const held = await Promise.all(Array.from({ length: 10 }, () => platform.store.pool.connect()));
  try {
    const replies = await Promise.all(Array.from({ length: 20 }, () => timed('/api/v1/project/p/jobs')));
    for (const { status } of replies) assert.equal(status, 503);
  } finally {
    for (const client of held) client.release();
  }
  assert.equal((await timed('/api/v1/project/p/jobs')).status, 200);
});
