import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestSource, type TestSource } from '../support/source.ts';
import { freePort, until } from '../support/waiting.ts';

const P = '/api/v1/project/olake';
const main = new URL('../../src/main.ts', import.meta.url).pathname;

let source: TestSource;
let folder: string;
let port: number;
let server: ChildProcess | undefined;
let token = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-clear-'));
  source = await startTestSource();
  await source.run(`create table orders as select g as id from generate_series(1, 500) g`);
  port = await freePort();
  await start();
});

after(async () => {
  if (server?.exitCode === null) {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
  await source?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      PENSTOCK_DATA_DIR: join(folder, 'data'),
      PENSTOCK_PORT: String(port),
      PENSTOCK_ADMIN_PASSWORD: 'pass',
    },
    stdio: 'ignore',
  });
  token = '';
  const signedIn = (): Promise<{ token: string }> => send('POST', '/login', { username: 'admin', password: 'pass' });
  token = (await until('the server starts', () => signedIn().catch(() => undefined))).token;
}

async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  assert.equal(reply.status, 200, text);
  return (JSON.parse(text) as { data: T }).data;
}

interface Task {
  readonly job_type: string;
  readonly status: string;
  readonly records: number;
}

function newestEnded(job: number): Promise<Task> {
  return until('the run ends', async () => {
    const [task] = await send<Task[]>('GET', `${P}/jobs/${job}/tasks`).catch(() => []);
    return task && task.status !== 'Running' ? task : undefined;
  });
}

test('a clear that was interrupted by a kill of the server is finished after the restart', async () => {
  const from = { name: 'shop', type: 'postgres', version: 'v1', config: source.config };
  const writer = { local_path: join(folder, 'lake') };
  const destination = { name: 'lake', type: 'parquet', version: 'v1', config: { type: 'PARQUET', writer } };
  const { streams_config } = await send<{ streams_config: unknown }>('POST', `${P}/sources/streams`, from);
  const body = { name: 'copy', source: from, destination, frequency: 'manual', streams_config };
  const { id } = await send<{ id: number }>('POST', `${P}/jobs`, body);
  await send('POST', `${P}/jobs/${id}/sync`);
  assert.equal((await newestEnded(id)).records, 500);
  const files = async (): Promise<string[]> =>
    (await readdir(writer.local_path, { recursive: true })).filter((name) => name.endsWith('.parquet'));
  assert.ok((await files()).length > 0);

  await send('POST', `${P}/jobs/${id}/clear-destination`);
  server!.kill('SIGKILL');
  await once(server!, 'exit');
  await start();

  const { job_type, status } = await newestEnded(id);
  assert.deepEqual({ job_type, status }, { job_type: 'clear', status: 'Completed' });
  assert.deepEqual(await send('GET', `${P}/jobs/${id}/state`), { state: {} });
  assert.deepEqual(await files(), []);
  await send('POST', `${P}/jobs/${id}/sync`);
  assert.equal((await newestEnded(id)).records, 500);
});
