import type { EngineContext } from './context.ts';
import { writeProgress } from './tables/claim.ts';
import type { ClaimedRows } from './tables/claim.ts';
import { toJson } from './tables/rows.ts';

const PROGRESS_MS = 500;

export interface ProgressWriter {
  replace(value: unknown): void;
  finish(): Promise<void>;
}

/** Keeps the newest progress value; writes it at most every 500 ms, and what is left at the end. */
export function createProgressWriter(context: EngineContext, claim: ClaimedRows): ProgressWriter {
  let value: unknown;
  let isDirty = false;
  let isFinished = false;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const store = async (): Promise<void> => {
    if (!isDirty) return;
    isDirty = false;
    const owner = { taskId: claim.task.id, fence: claim.task.fence ?? -1, progress: toJson(value) };
    await writeProgress(context.store.db, owner).catch((error: unknown) => {
      context.log('warn', 'progress could not be stored', { run: claim.run.id, error: String(error) });
    });
  };
  const write = (): Promise<void> => {
    timer = undefined;
    writing = writing.then(store);
    return writing;
  };
  return {
    replace(next) {
      if (isFinished) return;
      value = next;
      isDirty = true;
      timer ??= setTimeout(() => void write(), PROGRESS_MS);
    },
    finish() {
      isFinished = true;
      clearTimeout(timer);
      return write();
    },
  };
}
