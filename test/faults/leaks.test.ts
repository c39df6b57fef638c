import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sharedServerUrl } from '../support/database.ts';
import { send, signIn } from '../conformance/olake/wire.ts';
import { startTestSource, type TestSource } from '../support/source.ts';

const PASSWORD = 'Kanarienvogel-7391';
const TOKEN = 'Papagei-2846-token';
const SECRET = 'Wellensittich-5520';
const ADMIN = { username: 'admin', password: PASSWORD };

let folder: string;
let source: TestSource;
let server: ChildProcess;
let url: string;
let log = '';
let headers: Record<string, string>;

before(async () => {
  await sharedServerUrl();
  folder = await mkdtemp(join(tmpdir(), 'penstock-leaks-'));
  source = await startTestSource();
  await source.run(`create role reader login superuser password '${SECRET}'; create table big (id bigint primary key);
    insert into big select generate_series(1, 2000000)`);
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  server = spawn(process.execPath, [main, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      PENSTOCK_PORT: '0',
      PENSTOCK_LOG_LEVEL: 'debug',
      PENSTOCK_DATA_DIR: folder,
      PENSTOCK_ADMIN_PASSWORD: PASSWORD,
      PENSTOCK_STORAGE_TOKEN: TOKEN,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ready = new Promise<string>((resolve, reject) => {
    server.once('exit', () => reject(new Error(log)));
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
        const address = /ready at (http:\S+)/.exec(log)?.[1];
        if (address) resolve(address);
      });
    }
  });
  url = await ready;
  headers = await signIn(url, ADMIN);
});
after(async () => {
  server?.kill('SIGTERM');
  if (server?.exitCode === null) await once(server, 'exit');
  await source?.stop();
  await rm(folder, { recursive: true, force: true });
});

const P = '/api/v1/project/p';
const post = (path: string, body: object) =>
  send(url, { method: 'POST', path: `${P}${path}`, headers, text: JSON.stringify(body) });

function processesBelow(parent: number, table: ReadonlyMap<number, number>): number[] {
  const children = [...table].filter(([, above]) => above === parent).map(([pid]) => pid);
  return [...children, ...children.flatMap((pid) => processesBelow(pid, table))];
}

/** Arguments and environments of the server's child processes, as another process of this user sees them. */
async function lookAtChildren(): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const table = new Map<number, number>();
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    table.set(pid, Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const below = processesBelow(server.pid!, table);
  const read = (pid: number, name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  return Promise.all(below.map(async (pid) => `${await read(pid, 'cmdline')}\n${await read(pid, 'environ')}`));
}

describe('a running server', { skip: process.platform !== 'linux' }, () => {
  it('shows no secret in the arguments or environments of its processes, its log or its answers', async () => {
    const config = { ...source.config, username: 'reader', password: SECRET };
    const connection = { type: 'postgres', version: 'v1', config };
    const discovered = await post('/sources/streams', connection);
    assert.equal(discovered.status, 200, discovered.text);
    const { streams_config: streams } = (discovered.body as { data: { streams_config: object } }).data;
    const created = await post('/jobs', {
      name: 'j',
      source: { name: 's', ...connection },
      destination: {
        name: 'd',
        type: 'parquet',
        version: 'v1',
        config: { type: 'PARQUET', writer: { local_path: join(folder, '..', `${folder}-lake`) } },
      },
      frequency: 'manual',
      streams_config: streams,
    });
    assert.equal(created.status, 200, created.text);
    const { id } = (created.body as { data: { id: number } }).data;
    await post(`/jobs/${id}/sync`, {});
    const seen: string[] = [];
    let task: { status: string; id: string } | undefined;
    do {
      seen.push(...(await lookAtChildren()));
      const reply = await send(url, { method: 'GET', path: `${P}/jobs/${id}/tasks`, headers });
      task = (reply.body as { data: { status: string; id: string }[] }).data[0];
    } while (task?.status === 'Running' || task === undefined);
    assert.equal(task.status, 'Completed');
    assert.ok(
      seen.some((text) => text.includes('attempt/child.ts')),
      'a sync process was seen',
    );
    for (const text of seen) assert.doesNotMatch(text, /Kanarienvogel|Papagei|Wellensittich|PENSTOCK_|PGOPTIONS/);
    const bad = encodeURIComponent(JSON.stringify({ ...config, port: 1 }));
    await send(url, { method: 'GET', path: `${P}/sources/streams?type=postgres&config=${bad}`, headers });
    const paths = [`/jobs`, '/sources', `/sources/1`, `/jobs/${id}/tasks`, `/jobs/${id}/state`, `/settings`];
    paths.push(`/jobs/${id}/tasks/${task.id}/logs`);
    for (const path of paths) {
      const reply = await send(url, { method: 'GET', path: `${P}${path}`, headers });
      assert.equal(reply.status, 200, path);
      assert.doesNotMatch(reply.text, /Wellensittich|Kanarienvogel|pen1\./, path);
    }
    for (const path of ['/metrics', '/openapi/olake.json', '/api/v1/users']) {
      assert.doesNotMatch(
        (await send(url, { method: 'GET', path, headers })).text,
        /Wellensittich|Kanarienvogel/,
        path,
      );
    }
    assert.doesNotMatch(log, /Wellensittich|Kanarienvogel|Papagei/);
    await rm(`${folder}-lake`, { recursive: true, force: true });
  });
});
