import { transact } from './context.ts';
import type { EngineContext } from './context.ts';
import { dispatchTasks } from './dispatch.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { tellObservers } from './observers.ts';
import { admitByTurn, admitRuns, lockAdmission, takeLanes } from './tables/admission.ts';

const POLL_MS = 1000;
/** While this process accepts many runs, it looks at everything only after so long. */
const CROWDED_POLL_MS = 3000;
const RETRY_MS = 250;
const CROWD_PAUSE_MS = 100;
/** Runs admitted in one transaction, and lanes given away. */
const BATCH = 200;

interface Placed {
  readonly lane?: string | null | undefined;
  readonly pool?: unknown;
}

/** What the signal says when something changed in a lane or a pool. A lane is named, so that others are not read. */
export function admissionSubject({ lane, pool }: Placed): string {
  return `${pool ? 'pool' : 'lane'}/${encodeURIComponent(lane ?? '')}`;
}

/** Where there may be somebody to admit. */
interface Places {
  /** All of them when undefined. */
  readonly lanes: readonly string[] | undefined;
  readonly pools: boolean;
}

/**
 * Admits runs whose turn it is: at once for a lane that a signal names and for all pools, each second for everything.
 * Every worker does; the admissions of all of them happen one after another.
 */
export function startAdmitter(context: EngineContext): Loop {
  const lanes = new Set<string>();
  let pools = false;
  let polledAt = -Infinity;
  const pass = async (): Promise<number> => {
    const isCrowded = context.world.elapsed() < context.crowd.until;
    const pollMs = isCrowded ? CROWDED_POLL_MS : POLL_MS;
    const isPollDue = context.world.elapsed() - polledAt >= pollMs;
    if (!pools && lanes.size === 0 && !isPollDue) return isCrowded ? CROWD_PAUSE_MS : POLL_MS;
    const places: Places = isPollDue ? { lanes: undefined, pools: true } : { lanes: [...lanes], pools };
    pools = false;
    lanes.clear();
    const hasMore = await admit(context, places);
    if (isPollDue && !hasMore) polledAt = context.world.elapsed();
    if (hasMore) {
      pools = true;
      for (const lane of places.lanes ?? []) lanes.add(lane);
    }
    return 0;
  };
  const onError = (error: unknown): void => {
    // What was named is found by the pass over everything.
    polledAt = -Infinity;
    context.log('warn', 'runs could not be admitted; trying again', { error: String(error) });
  };
  const loop = startLoop(pass, { pauseMs: RETRY_MS, onError });
  const stopListening = context.signals.on('admit', (subject) => {
    const [kind, lane = ''] = subject.split('/');
    pools ||= kind === 'pool';
    if (lane !== '') lanes.add(decodeURIComponent(lane));
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
 * One admission: gives free lanes to the first of their line, then queues the first tasks of the runs that have their
 * lane and for which their pool has room. True when there may be more.
 */
export async function admit(context: EngineContext, { lanes, pools }: Places): Promise<boolean> {
  return transact(context, async (commit) => {
    const { tx } = commit;
    await lockAdmission(tx);
    const given = lanes?.length === 0 ? [] : await takeLanes(tx, { lanes, limit: BATCH });
    const hasChoice = pools || given.some(({ hasPool }) => hasPool);
    if (!hasChoice && given.length === 0) return false;
    const turn = given.map(({ runId }) => runId);
    const { runs, queued } = hasChoice ? await admitByTurn(tx, BATCH) : await admitRuns(tx, turn);
    if (runs.length === 0) return given.length === BATCH;
    await dispatchTasks(context, commit, { tasks: queued });
    for (const run of runs) await tellObservers(context, tx, { run });
    context.world.reach('engine.admitting');
    commit.effects.push(() => context.world.reach('engine.admitted'));
    return given.length === BATCH || runs.length >= BATCH;
  });
}
