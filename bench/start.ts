import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, startServer } from '../examples/demo/server.ts';
import { type Figure, median, type Scale } from './figures.ts';
import { proportionalMegabytes, tree } from './processes.ts';

/** Seconds from the command to a healthy answer. */
async function start(dataDir: string): Promise<{ server: RunningServer; seconds: number }> {
  const begun = performance.now();
  const server = await startServer({ dataDir, port: 0, password: 'bench-password' });
  const health = await fetch(`${server.url}/health`);
  if (!health.ok) throw new Error(`/health answered ${health.status}`);
  return { server, seconds: (performance.now() - begun) / 1000 };
}

/** The launcher, the server below it, and its PostgreSQL, which may have been adopted and so hangs elsewhere. */
function pidsOf(server: RunningServer, dataDir: string): number[] {
  const own = tree(server.process.pid!);
  const postgres = tree(1).filter(({ command }) => command.includes(dataDir));
  const all = new Set([...own, ...postgres.flatMap(({ pid }) => tree(pid))].map(({ pid }) => pid));
  return [...all];
}

async function killEverything(server: RunningServer, dataDir: string): Promise<void> {
  const ended = new Promise((resolve) => server.process.once('exit', resolve));
  for (const pid of pidsOf(server, dataDir)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself when its parent did.
    }
  }
  await ended;
}

async function once(): Promise<Record<'first' | 'warm' | 'killed' | 'idle', number>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  try {
    const first = await start(dataDir);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const idle = proportionalMegabytes(pidsOf(first.server, dataDir));
    await first.server.stop();
    const warm = await start(dataDir);
    await killEverything(warm.server, dataDir);
    const killed = await start(dataDir);
    await killed.server.stop();
    return { first: first.seconds, warm: warm.seconds, killed: killed.seconds, idle };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** First start, warm start, start after kill -9 of server and database, and idle memory: medians. */
export async function measure({ smoke }: Scale): Promise<readonly Figure[]> {
  const rounds: Awaited<ReturnType<typeof once>>[] = [];
  for (let round = 0; round < (smoke ? 1 : 5); round++) rounds.push(await once());
  const middle = (key: 'first' | 'warm' | 'killed' | 'idle'): number => median(rounds.map((each) => each[key]));
  return [
    { name: 'first start', value: middle('first'), unit: 's', reach: '<= 3' },
    { name: 'warm start', value: middle('warm'), unit: 's', reach: '<= 1.2' },
    { name: 'start after kill of everything', value: middle('killed'), unit: 's', reach: '<= 2.5' },
    { name: 'idle memory, whole product', value: middle('idle'), unit: 'MB', reach: '<= 220' },
  ];
}
