import { findDestination, findSource } from '../../connectors/index.ts';
import type { Attempt } from '../../engine/index.ts';
import { cloudEnvironment } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { createLimit } from './pipeline/limit.ts';
import { parseState, withChange } from '../catalog/index.ts';
import type { ConnectionSettings, SyncSnapshot } from '../types.ts';
import { checkConfig } from './config.ts';
import { folderRules } from './folders.ts';
import type { AttemptHost } from './host.ts';
import { answerFromCatalog } from './io.ts';
import type { SyncPorts } from './ports.ts';
import type { OpenConnection, Question } from './work.ts';

/** The parent's half of an attempt: everything that touches the store, and only while the attempt owns its task. */
export function hostOf(ports: SyncPorts, attempt: Attempt): AttemptHost {
  const { project, jobId } = attempt.run.snapshot as SyncSnapshot;
  // One at a time: each reads the state row, changes one stream's part and writes it back.
  const inTurn = createLimit(1);
  return {
    environment: cloudEnvironment(ports.config),
    signal: attempt.signal,
    log: ({ level, message }) => attempt.log(level, message),
    progress: (value) => attempt.progress(value),
    point: ports.onPoint,
    async answer(question: Question) {
      if (question.ask === 'guard') return attempt.guarded(async () => null);
      if (question.ask !== 'saveState') {
        return attempt.guarded(async (tx) => answerFromCatalog(ports.catalogIn(tx, project), question));
      }
      const change = parseState(question.change);
      return inTurn(() =>
        attempt.guarded(async (tx) => {
          const state = await ports.jobState.loadState(tx, jobId);
          await ports.jobState.saveState(tx, jobId, withChange(state, change));
          return null;
        }),
      );
    },
  };
}

/** What the work of an attempt is told of the process around it. */
export function surroundings(ports: SyncPorts, snapshot: SyncSnapshot, attempt: Attempt) {
  const { testStopAt } = ports.config;
  return {
    folders: folderRules(ports.config, snapshot.project),
    // Only the first attempt dies of it: the next one shows what the crash left.
    ...(testStopAt !== null && attempt.number === 1 ? { stopAt: testStopAt } : {}),
    ...(ports.onPoint ? { tracePoints: true } : {}),
    ...(snapshot.advanced.memory_mb === undefined ? {} : { memoryMb: snapshot.advanced.memory_mb }),
  };
}

/** A connection with its config in the clear, checked against the connector's schema. */
export async function openSource(ports: SyncPorts, settings: ConnectionSettings): Promise<OpenConnection> {
  const connector = await findSource(settings.type);
  const config = openConfig(ports, settings);
  checkConfig(connector.type, connector.spec(), config);
  return { type: connector.type, config };
}

/** As `openSource`. */
export async function openDestination(ports: SyncPorts, settings: ConnectionSettings): Promise<OpenConnection> {
  const connector = await findDestination(settings.type);
  const config = openConfig(ports, settings);
  checkDestinationConfig(connector, config);
  return { type: connector.type, config };
}

/** Checks against the schema of the catalog that the config chooses. The writer may come without its frame. */
export function checkDestinationConfig(connector: Awaited<ReturnType<typeof findDestination>>, sent: unknown): void {
  const isBare = typeof sent === 'object' && sent !== null && !Array.isArray(sent) && !Object.hasOwn(sent, 'writer');
  const config = isBare ? { writer: sent } : sent;
  const writer = (config as { writer?: { catalog_type?: unknown } } | null)?.writer;
  const catalog = typeof writer?.catalog_type === 'string' ? writer.catalog_type.toLowerCase() : undefined;
  const available = connector.catalogs.filter((word) => !connector.laterCatalogs?.includes(word));
  if (catalog !== undefined && available.length > 0 && !available.includes(catalog)) {
    const words = available.join(', ');
    throw new Failure('configuration_invalid', `catalog "${catalog}" is not available; available: ${words}`);
  }
  checkConfig(connector.type, connector.spec(catalog), config);
}

function openConfig({ secrets }: SyncPorts, settings: ConnectionSettings): unknown {
  return JSON.parse(secrets.open(settings.sealedConfig, settings.place));
}
