import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../../src/config.ts';
import { createPlatform } from '../../src/platform.ts';
import { createWorld } from '../../src/world.ts';
import type { Reply } from '../conformance/olake/wire.ts';
import { dataOf, startProduct, type Product } from '../support/product.ts';

let product: Product;
let folder: string;
let dataDir: string;

before(async () => {
  product = await startProduct({ project: 'p', database: 'embedded' });
  ({ folder } = product);
  dataDir = join(folder, 'data');
});
after(() => product?.close());

function post(path: string, body: object): Promise<Reply> {
  return product.call('POST', path, body);
}

/** What a connection test answers in the envelope. */
async function trial(kind: 'source' | 'destination', type: string, config: object): Promise<string> {
  const reply = await post(`/${kind}s/test`, { type, version: 'v1', config });
  const { connection_result: result } = dataOf<{ connection_result: Record<string, string> }>(reply);
  return `${result['status']} ${result['message']}`;
}

function ownSocket(): string {
  return decodeURIComponent(new URL(product.platform.store.url).hostname);
}

describe('what is past its time', () => {
  it('goes at the start already, not only an hour later', async () => {
    const own = join(folder, 'restarted');
    const config = readConfig({
      PENSTOCK_PORT: '0',
      PENSTOCK_LOG_LEVEL: 'silent',
      PENSTOCK_DATA_DIR: own,
      PENSTOCK_DATABASE_URL: product.platform.store.url,
      PENSTOCK_SECRET_KEY: (await readFile(join(dataDir, 'secret.key'), 'utf8')).trim(),
    });
    await mkdir(join(own, 'runs', 'r_GONE'), { recursive: true });
    const { rows } = await product.platform.store.pool.query<{ id: number }>('select id from users limit 1');
    const expired = `insert into sessions (id, user_id, expires_at) values ('expired', $1, now() - interval '1 day')`;
    await product.platform.store.pool.query(expired, [rows[0]!.id]);
    const second = await createPlatform(config, createWorld(), { role: 'api' });
    await second.start();
    await second.close();
    assert.deepEqual(await readdir(join(own, 'runs')), []);
    const left = await product.platform.store.pool.query(`select 1 from sessions where id = 'expired'`);
    assert.equal(left.rows.length, 0);
  });

  it('is in a folder that nobody else may read', async () => {
    assert.equal((await stat(dataDir)).mode & 0o007, 0);
    assert.equal((await stat(join(dataDir, 'secret.key'))).mode & 0o077, 0);
    assert.equal((await stat(ownSocket())).mode & 0o077, 0);
  });
});

describe('the own database of the server', () => {
  const source = (host: string) => ({
    host,
    port: 5432,
    database: 'penstock',
    username: 'penstock',
    password: '',
  });

  it('is no source, by whatever path its socket is named', async (test) => {
    const link = join(folder, 'link');
    await symlink(ownSocket(), link);
    test.after(() => rm(link));
    const inner = join(folder, 'inner');
    await mkdir(inner);
    await symlink(join(ownSocket(), '.s.PGSQL.5432'), join(inner, '.s.PGSQL.5432'));
    for (const host of [ownSocket(), `${ownSocket()}/../${ownSocket().split('/').at(-1)}`, link, inner]) {
      assert.match(await trial('source', 'postgres', source(host)), /FAILED .*lies in a closed folder/, host);
      const streams = await post('/sources/streams', { type: 'postgres', version: 'v1', config: source(host) });
      assert.equal(streams.status, 400);
      assert.doesNotMatch(streams.text, /sessions|sealed/);
    }
  });

  it('is no catalog either', async () => {
    const jdbc = (jdbcUrl: string) => ({
      type: 'ICEBERG',
      writer: {
        catalog_type: 'jdbc',
        catalog_name: 'p',
        iceberg_s3_path: join(folder, 'lake'),
        jdbc_url: jdbcUrl,
        jdbc_username: 'penstock',
        jdbc_password: 'x',
      },
    });
    const address = `${encodeURIComponent(ownSocket())}:5432`;
    const answer = await trial('destination', 'iceberg', jdbc(`jdbc:postgresql://${address}/penstock`));
    assert.match(answer, /FAILED .*lies in a closed folder/);
    const key = await trial('destination', 'iceberg', jdbc(`jdbc:sqlite:${dataDir}/secret.key`));
    assert.match(key, /FAILED .*lies in a closed folder/);
    const tls = `jdbc:postgresql://127.0.0.1:1/x?sslmode=verify-full&sslrootcert=`;
    assert.match(await trial('destination', 'iceberg', jdbc(`${tls}${dataDir}/secret.key`)), /closed folder/);
    assert.match(await trial('destination', 'iceberg', jdbc(`${tls}/dev/zero`)), /no certificate/);
    assert.match(await trial('destination', 'iceberg', jdbc(`${tls}/etc/passwd`)), /no certificate/);
  });
});

describe('the data folder', () => {
  it('is no destination, by whatever path', async () => {
    const link = join(folder, 'detour');
    await symlink(dataDir, link);
    const paths = [dataDir, `${dataDir}/`, `${dataDir}/postgres`, `${dataDir}/..x`, link, `${link}/a/b`];
    paths.push(`${folder}/./x/../data`, `file://${dataDir}`, `file://${folder}/%64ata`, ownSocket());
    for (const path of paths) {
      const parquet = { type: 'PARQUET', writer: { local_path: path } };
      assert.match(await trial('destination', 'parquet', parquet), /FAILED .*closed folder/, path);
      const iceberg = { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: path } };
      assert.match(await trial('destination', 'iceberg', iceberg), /FAILED .*closed folder/, path);
    }
  });

  it('is not emptied by a table of a folder above it that has its name', async () => {
    const root = { type: 'PARQUET', writer: { local_path: folder } };
    await mkdir(join(dataDir, 'precious'), { recursive: true });
    await writeFile(join(dataDir, 'precious', '_manifest.json'), '{}');
    const created = await post('/jobs', {
      name: 'wipe',
      source: { name: 's', type: 'postgres', version: 'v1', config: {} },
      destination: { name: 'd', type: 'parquet', version: 'v1', config: root },
      frequency: 'manual',
      streams_config: {
        selected_streams: { public: [{ stream_name: 'x' }] },
        streams: [
          {
            stream: {
              name: 'x',
              namespace: 'public',
              type_schema: { properties: {} },
              sync_mode: 'full_refresh',
              destination_database: 'data',
              destination_table: 'precious',
            },
          },
        ],
      },
    });
    const { id } = dataOf<{ id: number }>(created);
    const cleared = await post(`/jobs/${id}/clear-destination`, {});
    assert.equal(cleared.status, 200, cleared.text);
    await untilEnded(id);
    assert.deepEqual(await readdir(join(dataDir, 'precious')), ['_manifest.json']);
  });
});

async function untilEnded(id: number): Promise<void> {
  for (;;) {
    const [task] = dataOf<{ status: string; error?: string }[]>(await product.call('GET', `/jobs/${id}/tasks`));
    if (task && task.status !== 'Running') {
      assert.match(task.error ?? '', /closed folder/);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
