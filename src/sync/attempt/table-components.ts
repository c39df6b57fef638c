import type { Attempt, AttemptResult, Component } from '../../engine/index.ts';
import { selectedIds, streamId, tableOf, withoutStreams } from '../catalog/index.ts';
import type { SyncSnapshot } from '../types.ts';
import { runInChild } from './host.ts';
import type { SyncPorts } from './ports.ts';
import { hostOf, openDestination, openSource, surroundings } from './surroundings.ts';
import type { UpkeepResult } from './upkeep.ts';
import type { VerifyResult } from './verify.ts';
import type { ClearWork, MaintainWork, VerifyWork } from './work.ts';

/** The component that drops the tables of streams: `penstock.clear`. Repeating it is harmless. */
export function createClearComponent(ports: SyncPorts): Component {
  return { name: 'penstock.clear', execute: (attempt) => executeClear(ports, attempt) };
}

/** The component that looks after the tables of a job: `penstock.maintain`. Repeating it is harmless. */
export function createMaintainComponent(ports: SyncPorts): Component {
  return { name: 'penstock.maintain', execute: (attempt) => executeMaintain(ports, attempt) };
}

/** The component that compares tables with their source, row by row: `penstock.verify`. It changes nothing. */
export function createVerifyComponent(ports: SyncPorts): Component {
  return { name: 'penstock.verify', execute: (attempt) => executeVerify(ports, attempt) };
}

async function executeClear(ports: SyncPorts, attempt: Attempt): Promise<AttemptResult> {
  const snapshot = attempt.run.snapshot as SyncSnapshot;
  const ids = new Set(snapshot.clearStreams ?? selectedIds(snapshot.catalog));
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
  const ids = new Set(selectedIds(snapshot.catalog));
  const work: MaintainWork = {
    kind: 'maintain',
    ...surroundings(ports, snapshot, attempt),
    destination: await openDestination(ports, snapshot.destination),
    tables: snapshot.catalog.streams.filter((entry) => ids.has(streamId(entry.stream))).map(tableOf),
    policy,
  };
  return { outcome: 'succeeded', output: await runInChild<UpkeepResult>(work, hostOf(ports, attempt)) };
}

async function executeVerify(ports: SyncPorts, attempt: Attempt): Promise<AttemptResult> {
  const snapshot = attempt.run.snapshot as SyncSnapshot;
  const work: VerifyWork = {
    kind: 'verify',
    ...surroundings(ports, snapshot, attempt),
    catalog: snapshot.catalog,
    source: await openSource(ports, snapshot.source),
    destination: await openDestination(ports, snapshot.destination),
  };
  const output = await runInChild<VerifyResult>(work, hostOf(ports, attempt));
  const warnings = output.streams.filter(({ verdict }) => verdict === 'different').length;
  return warnings > 0 ? { outcome: 'warned', warnings, output } : { outcome: 'succeeded', output };
}
