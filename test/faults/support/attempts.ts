import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { loadConnectors } from '../../../src/connectors/index.ts';
import type { DiscoveredStream } from '../../../src/connectors/kit/index.ts';
import { fromRecord, toFailure } from '../../../src/errors.ts';
import type { AttemptHost } from '../../../src/sync/attempt/host.ts';
import { perform } from '../../../src/sync/attempt/perform.ts';
import type { OpenConnection, Work } from '../../../src/sync/attempt/work.ts';
import { createWorld } from '../../../src/world.ts';

/** Shared by all tests of this user: children keep there what they have compiled. */
const DATA = join(tmpdir(), `penstock-dev-sync-${userInfo().uid}`);

export async function discoverStreams(
  source: Pick<OpenConnection, 'config'>,
  connection: OpenConnection = { type: 'postgres', config: source.config },
): Promise<readonly DiscoveredStream[]> {
  const work: Work = {
    kind: 'discover',
    folders: rules(tmpdir()),
    source: connection,
    threads: 1,
  };
  return (await performHere(work, quietHost())) as readonly DiscoveredStream[];
}

/** The folders of an attempt whose warehouse is in this one. */
export function rules(folder: string): Work['folders'] {
  return { warehouse: join(folder, 'warehouse'), dataDir: DATA, closed: [], roots: null };
}

/** An engine that hears nothing, says nothing and knows nothing. */
export function quietHost(): AttemptHost {
  return { signal: new AbortController().signal, log: () => {}, progress: () => {}, answer: async () => null };
}

/** Does the work in this process, with a clock that is wrong by so much; throws what would cross the process border. */
export async function performHere(work: Work, host: AttemptHost, clockShiftMs = 0): Promise<unknown> {
  const world = createWorld({ onPoint: host.point });
  try {
    return await perform(work, {
      connectors: await loadConnectors(),
      world: { ...world, now: () => new Date(Date.now() + clockShiftMs) },
      signal: host.signal,
      log: (line) => host.log(line),
      progress: (value) => host.progress(value),
      ask: (question) => host.answer(question),
    });
  } catch (error) {
    if (host.signal.aborted) throw toFailure(host.signal.reason);
    throw fromRecord(toFailure(error).toRecord());
  }
}
