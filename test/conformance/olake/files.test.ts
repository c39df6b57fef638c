import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createStorage } from '../../../src/lakehouse/index.ts';
import { runConnectorCommand } from '../../../src/sync/command.ts';
import { createWorld } from '../../../src/world.ts';
import { startS3 } from '../../support/s3.ts';
import type { TestS3 } from '../../support/s3.ts';
import { readIcebergTable, readParquetTable } from './lake.ts';

/** Whole pipelines of files, run by the command; what they write is read by readers of other people. */
describe('files', () => {
  let folder: string;
  let s3: TestS3;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-files-'));
    s3 = await startS3();
  });
  after(async () => {
    await s3.close();
    await rm(folder, { recursive: true, force: true });
  });

  const path = (name: string): string => join(folder, name);

  async function lay(name: string, content: string | Uint8Array, second: number): Promise<void> {
    await mkdir(dirname(path(name)), { recursive: true });
    await writeFile(path(name), content);
    await utimes(
      path(name),
      new Date(Date.UTC(2024, 0, 1, 0, 0, second)),
      new Date(Date.UTC(2024, 0, 1, 0, 0, second)),
    );
  }

  async function run(line: string): Promise<void> {
    let text = '';
    const code = await runConnectorCommand(line.split(' '), {
      world: createWorld(),
      config: {
        dataDir: path('data'),
        fileRoots: null,
        serverKeys: 'allow' as const,
        host: '127.0.0.1',
        testStopAt: null,
      },
      signal: new AbortController().signal,
      write: (piece) => void (text += piece),
    });
    assert.equal(code, 0, text);
  }

  /** Discovers into a folder of its own and answers how to sync from there; each sync answers the rows written. */
  async function prepare(name: string, type: string, parts: { source: unknown; destination: unknown; mode?: string }) {
    await lay(`${name}/source.json`, JSON.stringify(parts.source), 0);
    await lay(`${name}/lake.json`, JSON.stringify(parts.destination), 0);
    await run(`${type} discover --config ${path(`${name}/source.json`)}`);
    const catalog = JSON.parse(await readFile(path(`${name}/streams.json`), 'utf8')) as {
      selected_streams: Record<string, { normalization: boolean }[]>;
      streams: { stream: { sync_mode: string } }[];
    };
    for (const stream of Object.values(catalog.selected_streams).flat()) stream.normalization = true;
    for (const { stream } of catalog.streams) stream.sync_mode = parts.mode ?? stream.sync_mode;
    await writeFile(path(`${name}/streams.json`), JSON.stringify(catalog));
    let state = '';
    return async (): Promise<unknown> => {
      const files = `--config ${path(`${name}/source.json`)} --destination ${path(`${name}/lake.json`)}`;
      await run(`${type} sync ${files} --catalog ${path(`${name}/streams.json`)}${state}`);
      state = ` --state ${path(`${name}/state.json`)}`;
      const stats = JSON.parse(await readFile(path(`${name}/stats.json`), 'utf8')) as Record<string, unknown>;
      return stats['Synced Records'];
    };
  }

  it('of a folder become Parquet tables that follow new and changed files', async () => {
    await lay('in/orders/1.csv', 'id,amount,zip\n9007199254740993,1.5,01234\n2,,99999\n', 1);
    await lay('in/orders/2024/2.csv.gz', gzipSync('zip,id\n5,3\n'), 1);
    await lay('in/events.jsonl', '{"id":1,"tags":[1,2]}\n', 1);
    const destination = { type: 'PARQUET', writer: { local_path: path('lake') } };
    const sync = await prepare('local', 'file', { source: { url: path('in') }, destination });
    assert.equal(await sync(), 4);
    assert.equal(await sync(), 0);
    await lay('in/orders/3.csv', 'id\n4\n', 2);
    await lay('in/events.jsonl', '{"id":1,"tags":[1,2]}\n{"id":2,"tags":[]}\n', 3);
    assert.equal(await sync(), 3);
    assert.equal(await sync(), 0);
    const orders = await readParquetTable(path('lake'), 'orders');
    assert.deepEqual(
      orders
        .map(({ id, amount, zip, _last_modified_time: time }) =>
          [id, amount ?? '-', zip ?? '-', (time as Date).getUTCSeconds()].join(' '),
        )
        .toSorted(),
      ['2 - 99999 1', '3 - 5 1', '4 - - 2', '9007199254740993 1.5 01234 1'],
    );
    const events = await readParquetTable(path('lake'), 'events');
    assert.deepEqual(events.map(({ id, tags }) => `${id} ${String(tags)}`).toSorted(), ['1 [1,2]', '1 [1,2]', '2 []']);
  });

  it('of a bucket become Iceberg tables, replaced as a whole', async () => {
    const bucket = await s3.makeBucket();
    const storage = createStorage({ world: createWorld(), s3: s3.settings });
    const put = (key: string, text: string) => storage.put(`s3://${bucket}/${key}`, Buffer.from(text));
    await put('in/orders/1.csv', 'id,note\n1,"a\nb"\n1,"a\nb"\n');
    const source = {
      bucket_name: bucket,
      path_prefix: 'in',
      file_format: 'csv',
      endpoint: s3.endpoint,
      access_key_id: s3.settings.accessKey,
      secret_access_key: s3.settings.secretKey,
    };
    const writer = {
      catalog_type: 'jdbc',
      jdbc_url: `jdbc:sqlite:${path('catalog.db')}`,
      iceberg_s3_path: path('ice'),
    };
    const sync = await prepare('bucket', 's3', {
      source,
      destination: { type: 'ICEBERG', writer },
      mode: 'full_refresh',
    });
    assert.equal(await sync(), 2);
    await put('in/orders/2.csv', 'note,id\nc,2\n');
    assert.equal(await sync(), 3);
    const rows = await readIcebergTable(path('ice'), 'orders');
    assert.deepEqual(rows.map(({ id, note }) => `${id} ${String(note)}`).toSorted(), ['1 a\nb', '1 a\nb', '2 c']);
  });

  it('of a web server are read when they change', async () => {
    let version = 1;
    const server = createServer((request, answer) => {
      const body = `id\n${version}\n`;
      const time = new Date(Date.UTC(2024, 0, 1, 0, 0, version)).toUTCString();
      answer.writeHead(200, { 'last-modified': time, 'content-length': String(body.length) });
      answer.end(request.method === 'HEAD' ? undefined : body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/data/prices.csv`;
      const destination = { type: 'PARQUET', writer: { local_path: path('web-lake') } };
      const sync = await prepare('web', 'file', { source: { url }, destination });
      assert.deepEqual([await sync(), await sync()], [1, 0]);
      version = 2;
      assert.deepEqual([await sync(), await sync()], [1, 0]);
      const rows = await readParquetTable(path('web-lake'), 'prices');
      assert.deepEqual(rows.map(({ id }) => Number(id)).toSorted(), [1, 2]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
