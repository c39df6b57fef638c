import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import type { World } from '../../world.ts';
import { addressOf, ensureDatabase, freePort, tcpAddressOf } from './address.ts';
import { preparePrograms, removeOldPrograms } from './binaries.ts';
import type { Programs } from './binaries.ts';
import { ensureCluster } from './initialise.ts';
import { findLayout, prepareLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { takeOwnership } from './ownership.ts';
import { readPostmaster, runsHere } from './postmaster.ts';
import type { Postmaster } from './postmaster.ts';
import { launch, sendSignal, shutDown } from './server.ts';
import { serverArguments } from './settings.ts';
import { supervise } from './supervise.ts';
import type { EmbeddedOptions, EmbeddedPostgres } from './types.ts';

/** The port that names the socket when nothing listens on TCP. */
const SOCKET_PORT = 5432;

/**
 * Starts the server of a data folder, or adopts the one that a killed process left running there, and owns it. Ready
 * for sessions when this returns. Throws `conflict` when another living process owns it, `configuration_invalid` when
 * it cannot run here and `unreachable` when it does not start.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const world = options.world ?? createWorld();
  const layout = await prepareLayout(options.dataDir, world);
  const release = await takeOwnership(layout.dataDir, world);
  try {
    return await startOwned({ ...options, world }, layout, release);
  } catch (error) {
    await release();
    throw error;
  }
}

async function startOwned(
  options: EmbeddedOptions & { world: World },
  layout: Layout,
  release: () => Promise<void>,
): Promise<EmbeddedPostgres> {
  const programs = await preparePrograms(options.binaries, layout, options.world);
  const found = await adopt(options, layout, programs);
  if (!found) await ensureCluster(layout, programs, options.world);
  const port = found?.port ?? (await choosePort(options, layout));
  const overTcp = options.listen !== undefined || layout.socketDir === null;
  const args = serverArguments(options, layout, { port, overTcp, major: programs.major });
  const start = (): Promise<Postmaster> => launch(layout, programs, args);
  const postmaster = found ?? (await start());
  const url = await addressOf(layout, postmaster);
  try {
    await ensureDatabase(url);
  } catch (error) {
    await shutDown(postmaster, layout.clusterDir, programs);
    throw error;
  }
  if (!found) await removeOldPrograms(programs, layout);
  const server = supervise(postmaster, { start, log: options.log, active: options.supervise ?? true });
  let left = false;
  return {
    url: overTcp ? await tcpAddressOf(layout, port) : url,
    socketDir: layout.socketDir,
    clusterDir: layout.clusterDir,
    port,
    adopted: found !== undefined,
    pid: () => server.current().pid,
    async stop() {
      if (left) return;
      left = true;
      await shutDown(await server.settle(), layout.clusterDir, programs);
      await release();
    },
    async leave() {
      left = true;
      await server.settle();
      await release();
    },
    kill: () => sendSignal(server.current().pid, 'SIGKILL'),
  };
}

/** The server that runs here already; one that runs but does not listen as asked is ended first. */
async function adopt(options: EmbeddedOptions, layout: Layout, programs: Programs): Promise<Postmaster | undefined> {
  let postmaster = await readPostmaster(layout.clusterDir);
  // A server that is still recovering from a crash is waited for: it is as good as ours.
  while (postmaster && !postmaster.ready && (await runsHere(postmaster, layout.clusterDir))) {
    await delay(10);
    postmaster = await readPostmaster(layout.clusterDir);
  }
  if (!postmaster || !(await runsHere(postmaster, layout.clusterDir))) return undefined;
  const wantedPort = options.listen?.port || postmaster.port;
  const suits = options.listen ? postmaster.listens && wantedPort === postmaster.port : true;
  const answers =
    suits &&
    (await ensureDatabase(await addressOf(layout, postmaster)).then(
      () => true,
      () => false,
    ));
  if (answers) return postmaster;
  await shutDown(postmaster, layout.clusterDir, programs);
  return undefined;
}

async function choosePort(options: EmbeddedOptions, layout: Layout): Promise<number> {
  if (options.listen === undefined && layout.socketDir !== null) return SOCKET_PORT;
  return options.listen?.port || freePort();
}

/**
 * The address of the running server of a data folder, for a process that uses it without owning it. Waits for one that
 * is being started; throws `unreachable` when there is none after `waitMs`.
 */
export async function connectEmbedded(dataDir: string, waitMs = 10_000): Promise<{ readonly url: string }> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const layout = await findLayout(dataDir);
    const postmaster = layout && (await readPostmaster(layout.clusterDir));
    if (layout && postmaster?.ready && (await runsHere(postmaster, layout.clusterDir))) {
      const url = await addressOf(layout, postmaster);
      if (
        await ensureDatabase(url).then(
          () => true,
          () => false,
        )
      )
        return { url };
    }
    if (performance.now() >= deadline) {
      throw new Failure('unreachable', `no embedded database runs on the data folder ${dataDir}`, {
        advice: 'Start `penstock serve` on this data folder first, or set PENSTOCK_DATABASE_URL.',
      });
    }
    await delay(50);
  }
}
