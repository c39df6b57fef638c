import { findDestination, findSource } from '../../connectors/index.ts';
import type { Attempt, AttemptResult, Component } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { createLimit } from './pipeline/limit.ts';
import { parseState, tableOf, withChange, withoutStreams, writeState } from '../catalog/index.ts';
import { streamId } from '../catalog/names.ts';
import type { Catalog, ConnectionSettings, SyncSnapshot } from '../types.ts';
import { checkConfig } from './config.ts';
import { folderRules } from './folders.ts';
import { runInChild } from './host.ts';
import type { AttemptHost } from './host.ts';
import { answerFromCatalog } from './io.ts';
import type { SyncPorts } from './ports.ts';
import { runFolderOf } from './run-folders.ts';
import type { UpkeepResult } from './upkeep.ts';
import type { ClearWork, MaintainWork, OpenConnection, Question, SyncResult, SyncWork } from './work.ts';

/** The component that replicates: `penstock.sync`. */
export function createSyncComponent(ports: SyncPorts): Component {
  return { name: 'penstock.sync', execute: (attempt) => executeSync(ports, attempt) };
}

/** The component that drops the tables of streams: `penstock.clear`. Repeating it is harmless. */
export function createClearComponent(ports: SyncPorts): Component {
  return { name: 'penstock.clear', execute: (attempt) => executeClear(ports, attempt) };
}

/** The component that looks after the tables of a job: `penstock.maintain`. Repeating it is harmless. */
export function createMaintainComponent(ports: SyncPorts): Component {
  return { name: 'penstock.maintain', execute: (attempt) => executeMaintain(ports, attempt) };
}

async function executeSync(ports: SyncPorts, attempt: Attempt): Promise<AttemptResult> {
  const snapshot = attempt.run.snapshot as SyncSnapshot;
  const source = await openSource(ports, snapshot.source);
  const destination = await openDestination(ports, snapshot.destination);
  const state = await attempt.guarded((tx) => ports.jobState.loadState(tx, snapshot.jobId));
  const work: SyncWork = {
    kind: 'sync',
    ...surroundings(ports, snapshot, attempt),
    project: snapshot.project,
    jobId: snapshot.jobId,
    run: attempt.run.id,
    catalog: snapshot.catalog,
    advanced: snapshot.advanced,
    source,
    destination,
    state: writeState(state),
    runFolder: runFolderOf(ports.config.dataDir, attempt.run.id),
  };
  const { warnings, progress } = await runInChild<SyncResult>(work, hostOf(ports, attempt));
  attempt.progress(progress);
  const output = { records: progress.records, reconciliation: progress.reconciliation };
  return warnings > 0 ? { outcome: 'warned', warnings, output } : { outcome: 'succeeded', output };
}

async function executeClear(ports: SyncPorts, attempt: Attempt): Promise<AttemptResult> {
  const snapshot = attempt.run.snapshot as SyncSnapshot;
  const ids = new Set(snapshot.clearStreams ?? selected(snapshot.catalog));
  const entries = snapshot.catalog.streams.filter((entry) => ids.has(streamId(entry.stream)));
  const work: ClearWork = {
    kind: 'clear',
    ...surroundings(ports, snapshot, attempt),
    destination: await openDestination(ports, snapshot.destination),
    tables: entries.map(tableOf),
  };
  const { dropped } = await runInChild<{ dropped: number }>(work, hostOf(ports, attempt));
  await attempt.guarded(async (tx) => {
    const state = await ports.jobState.loadState(tx, snapshot.jobId);
    await ports.jobState.saveState(tx, snapshot.jobId, withoutStreams(state, ids));
  });
  return { outcome: 'succeeded', output: { dropped } };
}

async function executeMaintain(ports: SyncPorts, attempt: Attempt): Promise<AttemptResult> {
  const snapshot = attempt.run.snapshot as SyncSnapshot;
  const { policy } = attempt.task.input as Pick<MaintainWork, 'policy'>;
  const ids = new Set(selected(snapshot.catalog));
  const work: MaintainWork = {
    kind: 'maintain',
    ...surroundings(ports, snapshot, attempt),
    destination: await openDestination(ports, snapshot.destination),
    tables: snapshot.catalog.streams.filter((entry) => ids.has(streamId(entry.stream))).map(tableOf),
    policy,
  };
  return { outcome: 'succeeded', output: await runInChild<UpkeepResult>(work, hostOf(ports, attempt)) };
}

function selected(catalog: Catalog): string[] {
  return Object.entries(catalog.selected_streams).flatMap(([namespace, entries]) =>
    entries.map((entry) => streamId({ namespace, name: entry.stream_name })),
  );
}

/** The parent's half of an attempt: everything that touches the store, and only while the attempt owns its task. */
function hostOf(ports: SyncPorts, attempt: Attempt): AttemptHost {
  const { project, jobId } = attempt.run.snapshot as SyncSnapshot;
  // One at a time: each reads the state row, changes one stream's part and writes it back.
  const inTurn = createLimit(1);
  return {
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

function surroundings(ports: SyncPorts, snapshot: SyncSnapshot, attempt: Attempt) {
  const { testStopAt } = ports.config;
  return {
    folders: folderRules(ports.config, snapshot.project),
    // Only the first attempt dies of it: the next one shows what the crash left.
    ...(testStopAt !== null && attempt.number === 1 ? { stopAt: testStopAt } : {}),
    ...(ports.onPoint ? { tracePoints: true } : {}),
    ...(snapshot.advanced.memory_mb === undefined ? {} : { memoryMb: snapshot.advanced.memory_mb }),
  };
}

async function openSource(ports: SyncPorts, settings: ConnectionSettings): Promise<OpenConnection> {
  const connector = await findSource(settings.type);
  const config = openConfig(ports, settings);
  checkConfig(connector.type, connector.spec(), config);
  return { type: connector.type, config };
}

async function openDestination(ports: SyncPorts, settings: ConnectionSettings): Promise<OpenConnection> {
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
