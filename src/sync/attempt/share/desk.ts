import type { Attempt, TaskPlan, TaskView } from '../../../engine/index.ts';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import { newId } from '../../../world.ts';
import type { SyncSnapshot } from '../../types.ts';
import { retryOf } from '../retry.ts';
import type { Holder } from './tables.ts';
import { claimChunk, insertLoad, removeChunk, removeLoad, removeLoadsOf, viewLoad } from './tables.ts';
import type { ShareQuestion } from './types.ts';

export const READ_COMPONENT = 'penstock.sync.read';

/** How often the committer looks whether there are readers enough. */
const READERS_MS = 3000;
/** Sealed chunks that are told at once. */
const MOST_SEALED = 4;
const MOST_READERS = 63;

/** The store's side of the loads that one attempt of a sync commits. */
export interface ShareDesk {
  answer(question: ShareQuestion): Promise<unknown>;
  /** Ends what is left of the loads, and withdraws readers that nobody has begun. Never throws. */
  close(): Promise<void>;
}

export function createShareDesk(world: World, attempt: Attempt): ShareDesk {
  const holder: Holder = { runId: attempt.run.id, taskId: attempt.task.id, fence: attempt.fence };
  const readers = createReaders(world, attempt);
  let isUsed = false;
  return {
    async answer(question) {
      switch (question.ask) {
        case 'share.begin': {
          const { spec, chunks } = question;
          const id = newId(world, 'load');
          isUsed = true;
          await attempt.guarded((tx) => insertLoad(tx, holder, { id, spec, chunks }));
          await readers.want(Math.min(question.readers, chunks.length - 1, MOST_READERS));
          return id;
        }
        case 'share.look': {
          const { load } = question;
          const view = await attempt.guarded((tx) => viewLoad(tx, holder, { load, most: MOST_SEALED }));
          await readers.refresh(view.open);
          return view;
        }
        case 'share.claim': {
          const { load } = question;
          return (await attempt.guarded((tx) => claimChunk(tx, holder, { load, isOnly: true }))) ?? null;
        }
        case 'share.done':
          await attempt.guarded((tx) => removeChunk(tx, question));
          return null;
        case 'share.end':
          await attempt.guarded((tx) => removeLoad(tx, question.load));
          return null;
        case 'share.seal':
          throw new Failure('internal', 'the committer of a load hands nothing over');
      }
    },
    async close() {
      if (!isUsed) return;
      await readers.withdraw().catch(() => undefined);
      await attempt.guarded((tx) => removeLoadsOf(tx, holder)).catch(() => undefined);
    },
  };
}

interface Readers {
  /** At least so many readers from now on. */
  want(count: number): Promise<void>;
  /** Adds readers for those that ended while there is work; throws when one failed for good. */
  refresh(openChunks: number): Promise<void>;
  withdraw(): Promise<void>;
}

/**
 * The reader tasks of a run: `read/1`, `read/2`, … They belong to the run and not to a load or attempt, so a later attempt
 * of the committer finds those that are under way.
 */
function createReaders(world: World, attempt: Attempt): Readers {
  const ended = new Set<string>();
  let live: string[] = [];
  let last = 0;
  let wanted = 0;
  let askedAt = -READERS_MS;

  async function examine(keys: readonly string[]): Promise<void> {
    const views = keys.length === 0 ? [] : await attempt.addTasks(keys.map((key) => planReader(attempt, key)));
    const failed = views.find((view) => view.state === 'failed');
    if (failed) throw stopped(failed);
    for (const view of views) if (view.state !== 'queued' && view.state !== 'running') ended.add(view.key);
    live = keys.filter((key) => !ended.has(key));
  }
  async function fill(openChunks: number): Promise<void> {
    askedAt = world.elapsed();
    await examine(live);
    while (live.length < Math.min(wanted, openChunks)) {
      const missing = Math.min(wanted, openChunks) - live.length;
      const added = Array.from({ length: missing }, () => `read/${++last}`);
      await examine([...live, ...added]);
    }
  }
  return {
    async want(count) {
      wanted = Math.max(wanted, count);
      await fill(count);
    },
    async refresh(openChunks) {
      if (world.elapsed() - askedAt >= READERS_MS) await fill(openChunks);
    },
    async withdraw() {
      await attempt.withdrawTasks(live);
    },
  };
}

/** Other runs go before helpers: a reader never keeps a run waiting that has not begun. */
function planReader({ run }: Attempt, key: string): TaskPlan {
  const { advanced } = run.snapshot as SyncSnapshot;
  return { key, component: READ_COMPONENT, input: {}, retry: retryOf(advanced), priority: -1 };
}

/** The run has failed with the reader's cause already; what is left to do is to stop. */
function stopped({ key, error }: TaskView): Failure {
  return new Failure('cancelled', `stopped, because ${key} failed: ${error?.message ?? 'unknown cause'}`);
}
