import { setTimeout as pause } from 'node:timers/promises';
import type { Attempt, AttemptResult, Component } from '../../../engine/index.ts';
import { Failure, toFailure } from '../../../errors.ts';
import type { FailureKind } from '../../../errors.ts';
import type { SyncProgress, SyncSnapshot } from '../../types.ts';
import { runInChild } from '../host.ts';
import type { AttemptHost } from '../host.ts';
import type { SyncPorts } from '../ports.ts';
import { runFolderOf } from '../run-folders.ts';
import { hostOf, openDestination, openSource, surroundings } from '../surroundings.ts';
import type { Question, ReadWork } from '../work.ts';
import { READ_COMPONENT } from './desk.ts';
import type { ReadResult } from './read.ts';
import { claimChunk, isLive, noteProgress, releaseChunk, sealChunk } from './tables.ts';
import type { Holder } from './tables.ts';
import { isShareQuestion } from './types.ts';
import type { ChunkProgress, Claim, ShareQuestion } from './types.ts';

/** How often a reader looks whether its load is still wanted, and tells how far it is. */
const NOTE_MS = 1000;
/** What a reader fails with whatever becomes of its load. */
const OWN_FAILURES: ReadonlySet<FailureKind> = new Set(['value_refused', 'worker_lost', 'lease_lost']);
/** A committer that died is known to be dead after so long: its lease, and a sweep. */
const COMMITTER_DIES_MS = 20_000;
/** After so long a reader ends with its chunk, so that tasks of other runs come in; the committer adds another. */
const SERVES_MS = 5 * 60_000;

/** The component that reads chunks for the loads that its run shares: `penstock.sync.read`. */
export function createReadComponent(ports: SyncPorts): Component {
  return { name: READ_COMPONENT, execute: (attempt) => executeRead(ports, attempt) };
}

async function executeRead(ports: SyncPorts, attempt: Attempt): Promise<AttemptResult> {
  const snapshot = attempt.run.snapshot as SyncSnapshot;
  const desk = createReaderDesk(ports, attempt);
  // Nothing is opened, and no process started, for a reader that comes too late.
  if (!(await desk.claimFirst())) return { outcome: 'succeeded', output: { chunks: 0, rows: 0 } };
  const work: ReadWork = {
    kind: 'read',
    ...surroundings(ports, snapshot, attempt),
    advanced: snapshot.advanced,
    source: await openSource(ports, snapshot.source),
    destination: await openDestination(ports, snapshot.destination),
    runFolder: runFolderOf(ports.config.dataDir, attempt.run.id),
  };
  const stopNoting = desk.startNoting();
  try {
    const result = await runInChild<ReadResult>(work, desk.host);
    attempt.log('debug', `${attempt.task.key} has read ${result.chunks} chunks, ${result.rows} rows`);
    return { outcome: 'succeeded', output: result };
  } catch (error) {
    if (await desk.isOver(toFailure(error))) return { outcome: 'succeeded', output: { stopped: 'the load is over' } };
    throw error;
  } finally {
    stopNoting();
  }
}

interface ReaderDesk {
  readonly host: AttemptHost;
  /** Claims the chunk that the child asks for first; false when there is none. */
  claimFirst(): Promise<boolean>;
  /** Tells the store how far the chunk is, and ends the child when nobody wants it any more. Answers how to stop. */
  startNoting(): () => void;
  /** The load that was read for is over: what follows from that is no failure. Waits where that may be seen soon. */
  isOver(failure: Failure): Promise<boolean>;
}

/** The store's side of a reader. It holds at most one chunk at a time. */
function createReaderDesk(ports: SyncPorts, attempt: Attempt): ReaderDesk {
  const holder: Holder = { runId: attempt.run.id, taskId: attempt.task.id, fence: attempt.fence };
  const over = new AbortController();
  const begunAt = ports.world.elapsed();
  const base = hostOf(ports, attempt);
  let first: Claim | undefined;
  let held: Claim | undefined;
  const measure = createMeasure();

  async function claim(load: string | null): Promise<Claim | null> {
    if (ports.world.elapsed() - begunAt > SERVES_MS) return null;
    held = await attempt.guarded((tx) => claimChunk(tx, holder, { load, isOnly: false }));
    measure.begin();
    return held ?? null;
  }
  async function answer(question: ShareQuestion): Promise<unknown> {
    if (question.ask === 'share.claim') {
      const given = first ?? (await claim(question.load));
      first = undefined;
      return given;
    }
    if (question.ask !== 'share.seal') throw new Failure('internal', `a reader asks ${question.ask}`);
    const { load, number, handOver } = question;
    held = undefined;
    const progress = { ...measure.now(), rows: handOver.sealed.rows, bytesRead: handOver.bytesRead };
    return attempt.guarded((tx) => sealChunk(tx, holder, { load, number, handOver, progress }));
  }
  async function note(): Promise<void> {
    const chunk = held;
    if (!chunk || over.signal.aborted) return;
    const progress = measure.now();
    const isWanted = await attempt.guarded((tx) => noteProgress(tx, holder, { ...chunk, progress }));
    if (!isWanted && held === chunk)
      over.abort(new Failure('lease_lost', 'the load that this task helped with is over'));
  }
  return {
    host: {
      ...base,
      signal: AbortSignal.any([attempt.signal, over.signal]),
      progress: measure.take,
      answer: (question: Question) => (isShareQuestion(question) ? answer(question) : base.answer(question)),
    },
    async claimFirst() {
      first = (await claim(null)) ?? undefined;
      return first !== undefined;
    },
    startNoting() {
      // A note that fails says nothing; the attempt's own lease decides.
      const timer = setInterval(() => void note().catch(() => undefined), NOTE_MS);
      return () => clearInterval(timer);
    },
    async isOver({ kind }) {
      const chunk = held;
      held = undefined;
      if (over.signal.aborted) return !attempt.signal.aborted;
      if (chunk === undefined || OWN_FAILURES.has(kind)) return false;
      await attempt.guarded((tx) => releaseChunk(tx, holder, chunk));
      return endsSoon(ports, attempt, chunk.load);
    },
  };
}

/** The committer's moment is gone with its process, and the store hears of its death later than its readers do. */
async function endsSoon({ world }: SyncPorts, attempt: Attempt, load: string): Promise<boolean> {
  const end = world.elapsed() + COMMITTER_DIES_MS;
  while (!attempt.signal.aborted && world.elapsed() < end) {
    if (!(await attempt.guarded((tx) => isLive(tx, load)))) return true;
    await pause(NOTE_MS / 4);
  }
  return false;
}

/** What the child's totals say of the chunk that it reads now. */
function createMeasure(): { begin(): void; take(value: SyncProgress): void; now(): ChunkProgress } {
  let total: ChunkProgress = { rows: 0, bytesRead: 0, memoryBytes: 0, cpuPercent: 0 };
  let start = total;
  return {
    begin: () => void (start = total),
    take({ streams, bytesRead, memoryBytes, cpuPercent }) {
      const rows = Object.values(streams).reduce((sum, stream) => sum + stream.rows, 0);
      total = { rows, bytesRead, memoryBytes, cpuPercent };
    },
    now: () => ({ ...total, rows: total.rows - start.rows, bytesRead: total.bytesRead - start.bytesRead }),
  };
}
