import type { Attempt, AttemptResult, Component } from '../../engine/index.ts';
import { writeState } from '../catalog/index.ts';
import type { SyncSnapshot } from '../types.ts';
import { runInChild } from './host.ts';
import type { AttemptHost } from './host.ts';
import { CHUNK_BYTES } from './pipeline/load.ts';
import type { SyncPorts } from './ports.ts';
import { runFolderOf } from './run-folders.ts';
import { createShareDesk } from './share/desk.ts';
import { isShareQuestion } from './share/types.ts';
import { hostOf, openDestination, openSource, surroundings } from './surroundings.ts';
import type { SyncResult, SyncWork } from './work.ts';

const SHARING = { chunkBytes: CHUNK_BYTES, afterMs: 3000 };

/** The component that replicates: `penstock.sync`. */
export function createSyncComponent(ports: SyncPorts): Component {
  return { name: 'penstock.sync', execute: (attempt) => executeSync(ports, attempt) };
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
    sharing: ports.sharing ?? SHARING,
  };
  const { warnings, progress, lineage } = await runCommitter(ports, attempt, work);
  attempt.progress(progress);
  const output = { records: progress.records, reconciliation: progress.reconciliation, lineage };
  return warnings > 0 ? { outcome: 'warned', warnings, output } : { outcome: 'succeeded', output };
}

/** Runs the child that commits; its questions about shared loads are answered at a desk of their own. */
async function runCommitter(ports: SyncPorts, attempt: Attempt, work: SyncWork): Promise<SyncResult> {
  const desk = createShareDesk(ports.world, attempt);
  const host = hostOf(ports, attempt);
  const answer: AttemptHost['answer'] = (question) =>
    isShareQuestion(question) ? desk.answer(question) : host.answer(question);
  try {
    return await runInChild<SyncResult>(work, { ...host, answer });
  } finally {
    await desk.close();
  }
}
