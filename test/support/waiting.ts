import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 120_000;
const PAUSE_MS = 50;

/** Looks again and again until there is something to see, and answers it; fails with what it waited for. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<Exclude<T, false | undefined>> {
  for (const end = performance.now() + patienceMs; ; await delay(PAUSE_MS)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen as Exclude<T, false | undefined>;
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
  }
}

/** A TCP port of this machine on which nobody listens now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
