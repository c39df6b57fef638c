import type { AfterCommit, EngineContext } from './context.ts';
import type { Delay } from './queue.ts';
import type { QueuedTask } from './tables/rows.ts';

/** Puts queued tasks into their queues, and wakes those who claim from these after the commit. */
export async function dispatchTasks(
  context: EngineContext,
  commit: AfterCommit,
  order: { tasks: readonly QueuedTask[]; delay?: Delay | undefined },
): Promise<void> {
  const { tasks, delay } = order;
  if (tasks.length === 0) return;
  await context.queue.enqueue(commit.tx, tasks, delay);
  const delayMs = delay === undefined ? 0 : toMilliseconds(context, delay);
  commit.effects.push(() => {
    for (const topic of topicsOf(tasks)) {
      if (delayMs > 0) context.signals.sendAfter(delayMs, topic);
      else context.signals.send(topic);
    }
  });
}

/** Which signals tell of these tasks when they are queued. */
export function topicsOf(tasks: readonly { readonly waits?: boolean }[]): readonly ('queue' | 'waiting')[] {
  return [...new Set(tasks.map((task) => (task.waits ? 'waiting' : 'queue')))];
}

function toMilliseconds(context: EngineContext, delay: Delay): number {
  return 'until' in delay ? delay.until.getTime() - context.world.now().getTime() : delay.seconds * 1000;
}
