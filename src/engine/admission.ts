import { transact } from './context.ts';
import type { EngineContext } from './context.ts';
import { dispatchTasks } from './dispatch.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { tellObservers } from './observers.ts';
import { admitRuns, chooseRuns, lockAdmission, takeLanes } from './tables/admission.ts';

const POLL_MS = 1000;
const RETRY_MS = 250;
/** Runs admitted in one transaction, and lanes given away. */
const BATCH = 200;

/** The subject of the signal that tells that a lane or a pool may have room. A lane is named, so that others are not read. */
export function admissionSubject(run: { readonly lane?: string | null | undefined }): string {
  return run.lane ? encodeURIComponent(run.lane) : '';
}

/**
 * Admits runs whose turn it is: at once for a lane that a signal names and for all pools, each second for everything.
 * Every worker does; the admissions of all of them happen one after another.
 */
export function startAdmitter(context: EngineContext): Loop {
  const named = new Set<string>();
  let isNamed = true;
  let polledAt = -Infinity;
  const pass = async (): Promise<number> => {
    const isPollDue = context.world.elapsed() - polledAt >= POLL_MS;
    if (!isNamed && !isPollDue) return POLL_MS;
    const lanes = isPollDue ? undefined : [...named];
    isNamed = false;
    named.clear();
    const hasMore = await admit(context, lanes);
    if (hasMore) {
      isNamed = true;
      for (const lane of lanes ?? []) named.add(lane);
    } else if (isPollDue) {
      polledAt = context.world.elapsed();
    }
    return 0;
  };
  const onError = (error: unknown): void => {
    // What was named is found by the pass over everything.
    isNamed = true;
    polledAt = -Infinity;
    context.log('warn', 'runs could not be admitted; trying again', { error: String(error) });
  };
  const loop = startLoop(pass, { pauseMs: RETRY_MS, onError });
  const stopListening = context.signals.on('admit', (subject) => {
    isNamed = true;
    if (subject !== '') named.add(decodeURIComponent(subject));
    loop.wake();
  });
  return {
    wake: loop.wake,
    stop() {
      stopListening();
      return loop.stop();
    },
  };
}

/**
 * One admission: gives free lanes (the named ones, or all) to the first of their line, then queues the first tasks of
 * the runs that have their lane and for which their pool has room. True when there may be more.
 */
export async function admit(context: EngineContext, lanes: readonly string[] | undefined): Promise<boolean> {
  return transact(context, async (commit) => {
    const { tx } = commit;
    await lockAdmission(tx);
    const given = lanes?.length === 0 ? 0 : await takeLanes(tx, { lanes, limit: BATCH });
    const chosen = await chooseRuns(tx, BATCH);
    if (chosen.length === 0) return given === BATCH;
    const { runs, queued } = await admitRuns(tx, chosen);
    await dispatchTasks(context, commit, { tasks: queued });
    for (const run of runs) await tellObservers(context, tx, { run });
    commit.effects.push(() => {
      context.world.reach('engine.admitted');
      for (const run of runs) context.signals.send('run', run.id);
    });
    return given === BATCH || runs.length >= BATCH;
  });
}
