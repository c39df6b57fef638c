import { spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createConnection, type Connection } from 'mysql2/promise';
import { libraryPath, unpackPackages } from './debian-packages.ts';
import { findLeftOverFolders } from './left-over-folders.ts';
import { exists, makeOnce } from './made-once.ts';
import { freePort } from './waiting.ts';

export interface TestMariadb {
  /** Configuration of a mysql source that reaches this server with every right, over TCP. */
  readonly config: MariadbAccount & { readonly hosts: string; readonly port: number; readonly database: string };
  readonly socketPath: string;
  /** Runs SQL as the owner, on one connection that stays open; the rows of the last statement. */
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends the server at once, as a crash would; `stop` must still be called. */
  kill(): Promise<void>;
  /** Ends the server and removes what it wrote. */
  stop(): Promise<void>;
}

interface MariadbAccount {
  readonly username: string;
  readonly password: string;
}

export interface TestMariadbOptions {
  /** Options of the server by name, without dashes: `{ 'binlog-row-image': 'MINIMAL' }`; empty = a bare switch. */
  readonly settings?: Readonly<Record<string, string>>;
}

interface Programs {
  readonly server: string;
  /** SQL of the system tables, and messages. */
  readonly share: string;
  readonly environment: NodeJS.ProcessEnv;
}

const USER = userInfo().uid;
/** Programs and a prepared data folder, made once for all tests of this user. */
const CACHE = join(tmpdir(), `penstock-dev-mariadb-${USER}`);
const FOLDER_PREFIX = `penstock-test-mariadb-${USER}-`;
const ACCOUNT = { username: 'penstock', password: "test'pass" } as const;
const DATABASE = 'shop';
const ATTEMPTS = 5;

/**
 * A real MariaDB server of its own in a fresh folder: row-format binary log, no waiting for the disk. The server program
 * is the machine's, or comes from the packages of its distribution (unpacked below the temporary folder, not installed).
 */
export async function startTestMariadb(options: TestMariadbOptions = {}): Promise<TestMariadb> {
  await removeLeftOvers();
  const programs = await findPrograms();
  const template = await prepareTemplate(programs);
  const folder = await mkdtemp(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  await cp(template, join(folder, 'data'), { recursive: true });
  await writeFile(join(folder, 'init.sql'), initialStatements());
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      const server = await startServer(programs, { folder, port, settings: options.settings ?? {} });
      return await openTestServer(server, { folder, port });
    } catch (error) {
      // Another process may have taken the port in the meantime.
      if (attempt < ATTEMPTS && String(error).includes('already in use')) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

function initialStatements(): string {
  const { username, password } = ACCOUNT;
  return [
    `create user '${username}'@'%' identified by '${password.replaceAll("'", "''")}';`,
    `grant all on *.* to '${username}'@'%' with grant option;`,
    `create database if not exists ${DATABASE};\n`,
  ].join('\n');
}

async function openTestServer(server: ChildProcess, place: { folder: string; port: number }): Promise<TestMariadb> {
  const { folder, port } = place;
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const atExit = (): void => void server.kill('SIGKILL');
  process.once('exit', atExit);
  const owner = await openOwner(port);
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await exited;
  };
  return {
    config: { hosts: '127.0.0.1', port, database: DATABASE, ...ACCOUNT },
    socketPath: join(folder, 'socket'),
    run: async (sql) => {
      const [result] = await owner.query(sql);
      const last: unknown = Array.isArray(result) && Array.isArray(result.at(-1)) ? result.at(-1) : result;
      return Array.isArray(last) ? (last as Record<string, unknown>[]) : [];
    },
    kill,
    stop: async () => {
      owner.destroy();
      await kill();
      process.off('exit', atExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openOwner(port: number): Promise<Connection> {
  const owner = await createConnection({
    host: '127.0.0.1',
    port,
    user: ACCOUNT.username,
    password: ACCOUNT.password,
    database: DATABASE,
    charset: 'utf8mb4',
    multipleStatements: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
  });
  // A test may stop the server under this connection.
  owner.on('error', () => undefined);
  return owner;
}

interface ServerStart {
  readonly folder: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** Answers once the server takes connections. */
function startServer({ server, share, environment }: Programs, start: ServerStart): Promise<ChildProcess> {
  const { folder, port, settings } = start;
  const given = Object.entries(settings).map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`));
  const args = [
    ...commonOptions(share, join(folder, 'data')),
    `--socket=${join(folder, 'socket')}`,
    `--port=${port}`,
    `--pid-file=${join(folder, 'pid')}`,
    // Servers that share a folder for temporary tables remove those of each other.
    `--tmpdir=${folder}`,
    `--init-file=${join(folder, 'init.sql')}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    '--server-id=71',
    '--log-bin=binlog',
    '--character-set-server=utf8mb4',
    '--binlog-format=ROW',
    '--sync-binlog=0',
    '--innodb-fast-shutdown=2',
    '--max-connections=200',
    ...given,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(server, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
      if (said.includes('ready for connections')) resolve(child);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the MariaDB server ended with ${code}: ${said}`)));
  });
}

function commonOptions(share: string, data: string): string[] {
  return [
    '--no-defaults',
    ...(USER === 0 ? ['--user=root'] : []),
    `--datadir=${data}`,
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${join(share, 'charsets')}`,
    '--debug-no-sync',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-log-file-size=16M',
    '--innodb-buffer-pool-size=32M',
    '--loose-innodb-flush-method=nosync',
    '--performance-schema=0',
  ];
}

async function findPrograms(): Promise<Programs> {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']) {
    const server = join(folder, 'mariadbd');
    const share = '/usr/share/mysql';
    if ((await exists(server)) && (await exists(join(share, 'mysql_system_tables.sql')))) {
      return { server, share, environment: process.env };
    }
  }
  const root = join(CACHE, 'programs');
  await makeOnce(root, unpackServer);
  return {
    server: join(root, 'usr/sbin/mariadbd'),
    share: join(root, 'usr/share/mysql'),
    environment: { ...process.env, LD_LIBRARY_PATH: await libraryPath(root) },
  };
}

async function unpackServer(folder: string): Promise<void> {
  try {
    await unpackPackages(folder, ['mariadb-server-core']);
  } catch (error) {
    throw new Error(
      `no MariaDB server for tests: there is none on this machine, and its packages could not be fetched (install mariadb-server-core, or let apt-get reach its archive)`,
      { cause: error },
    );
  }
}

async function prepareTemplate(programs: Programs): Promise<string> {
  const template = join(CACHE, 'template');
  await makeOnce(template, (folder) => fillTemplate(programs, folder));
  return template;
}

async function fillTemplate({ server, share, environment }: Programs, folder: string): Promise<void> {
  await mkdir(join(folder, 'mysql'), { recursive: true });
  const files = ['mysql_system_tables.sql', 'mysql_performance_tables.sql', 'mysql_system_tables_data.sql'];
  const scripts = await Promise.all(files.map((file) => readFile(join(share, file), 'utf8')));
  const child = spawn(server, [...commonOptions(share, folder), '--bootstrap'], {
    env: environment,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  child.stdin.end(`use mysql;\n${scripts.join('\n')}\n`);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new Error(`the MariaDB server could not prepare its system tables: ${said}`);
}

/** Servers of test processes that were killed. */
async function removeLeftOvers(): Promise<void> {
  for (const folder of await findLeftOverFolders(FOLDER_PREFIX)) {
    const server = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => '0'));
    const command = await readFile(`/proc/${server}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(folder)) process.kill(server, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}
