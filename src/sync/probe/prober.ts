import { findDestination, findSource } from '../../connectors/index.ts';
import type { DiscoveredStream } from '../../connectors/kit/index.ts';
import { cloudEnvironment } from '../../config.ts';
import { Failure, toFailure } from '../../errors.ts';
import { checkDestinationConfig } from '../attempt/surroundings.ts';
import { checkConfig } from '../attempt/config.ts';
import { folderRules } from '../attempt/folders.ts';
import { runInChild } from '../attempt/host.ts';
import type { AttemptHost } from '../attempt/host.ts';
import { answerFromCatalog } from '../attempt/io.ts';
import { createLimit } from '../attempt/pipeline/limit.ts';
import type { ProbePorts } from '../attempt/ports.ts';
import type { Work } from '../attempt/work.ts';
import { buildCatalog, defaultsOf, mergeCatalog } from '../catalog/index.ts';
import type { Prober, TestResult, TrialLine } from '../definitions/trials.ts';

const CHECK_MS = 60_000;
const DISCOVER_MS = 10 * 60_000;
/** Processes that probes may hold at once; more wait their turn. */
const AT_ONCE = 4;
const DEFAULT_THREADS = 50;

/** Checks and discoveries, each in a child process with a time limit: whatever a connector does harms nothing here. */
export function createProber(ports: ProbePorts): Prober {
  const limit = createLimit(AT_ONCE);
  return {
    test: (side, { type, config }) => limit(() => test(ports, { side, type, config })),
    discover: ({ type, config, prefix, threads, stored }) =>
      limit(async () => {
        const connector = await findSource(type);
        checkConfig(connector.type, connector.spec(), config);
        const work: Work = {
          kind: 'discover',
          folders: folderRules(ports.config, ''),
          source: { type: connector.type, config },
          threads: threads ?? DEFAULT_THREADS,
        };
        const found = await runTimed<readonly DiscoveredStream[]>(ports, { work, limitMs: DISCOVER_MS, logs: [] });
        const naming = { prefix, database: connector.databaseWord(config) };
        const fresh = buildCatalog(found, naming, defaultsOf(connector.type));
        return stored ? mergeCatalog(fresh, stored) : fresh;
      }),
  };
}

interface Target {
  readonly side: 'source' | 'destination';
  readonly type: string;
  readonly config: Record<string, unknown>;
}

async function test(ports: ProbePorts, { side, type, config }: Target): Promise<TestResult> {
  const logs: TrialLine[] = [];
  const note = (level: string, message: string): void => {
    logs.push({ level, time: ports.world.now().toISOString(), message });
  };
  try {
    const connector = side === 'source' ? await findSource(type) : await findDestination(type);
    if (connector.kind === 'source') checkConfig(connector.type, connector.spec(), config);
    else checkDestinationConfig(connector, config);
    const work: Work = {
      kind: 'check',
      side,
      folders: folderRules(ports.config, ''),
      connection: { type: connector.type, config },
    };
    await runTimed<null>(ports, { work, limitMs: CHECK_MS, logs });
    note('info', 'connection test succeeded');
    return { status: 'SUCCEEDED', message: 'connection test succeeded', logs };
  } catch (error) {
    const { message } = toFailure(error);
    note('error', message);
    return { status: 'FAILED', message, logs };
  }
}

async function runTimed<T>(
  ports: ProbePorts,
  { work, limitMs, logs }: { work: Work; limitMs: number; logs: TrialLine[] },
): Promise<T> {
  const controller = new AbortController();
  const late = new Failure('timed_out', `no answer within ${limitMs / 1000} seconds`);
  const timer = setTimeout(() => controller.abort(late), limitMs);
  const host: AttemptHost = {
    environment: cloudEnvironment(ports.config),
    signal: controller.signal,
    log: ({ level, message }) => logs.push({ level, time: ports.world.now().toISOString(), message }),
    progress: () => {},
    answer: (question) =>
      ports.transaction(async (tx) => (await answerFromCatalog(ports.catalogIn(tx, ''), question)) ?? null),
  };
  try {
    return await runInChild<T>(work, host);
  } finally {
    clearTimeout(timer);
  }
}
