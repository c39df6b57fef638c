import type { EngineContext } from './context.ts';
import { startLoop } from './loop.ts';
import { readEnds } from './tables/read.ts';
import { toRunView } from './tables/rows.ts';
import type { RunRow } from './tables/rows.ts';
import type { RunView } from './types.ts';

const POLL_MS = 1000;
const RETRY_MS = 250;
/** Children have hardly ended when somebody begins to wait: those of the same moments are looked at together. */
const GATHER_MS = 30;
/** Children that were started and for which nobody waits yet; older ones are forgotten, which costs a look. */
const MOST_EXPECTED = 10_000;

/** Who waits for the end of which run; one statement looks for all of them. */
export interface ChildWatch {
  /** This process has just started the run: whatever signals its end is heard from now on. */
  expect(runId: string): void;
  /** Resolves with the run once it is terminal, with undefined when there is none; rejects as `Attempt.childEnded`. */
  ended(runId: string, until?: AbortSignal): Promise<RunView | undefined>;
  stop(): Promise<void>;
}

/**
 * Looks for the ends of runs in bulk: at once for those that another process names, each second for all. An end that this
 * process makes itself comes with its row. A thousand waiting tasks cost one statement a second.
 */
export function startChildWatch(context: EngineContext): ChildWatch {
  const waiting: Waiting = new Map();
  const expected = createExpected();
  const named = new Set<string>();
  let polledAt = context.world.elapsed();
  const pass = async (): Promise<number> => {
    const isPollDue = context.world.elapsed() - polledAt >= POLL_MS;
    if (isPollDue) polledAt = context.world.elapsed();
    const runIds = [...(isPollDue ? waiting.keys() : named)].filter((runId) => waiting.has(runId));
    named.clear();
    if (runIds.length === 0) return POLL_MS;
    const ends = new Map((await readEnds(context.store.db, runIds)).map((end) => [end.id, end]));
    for (const runId of runIds) {
      const end = ends.get(runId);
      if (end === undefined || end.run !== null) settle(waiting, runId, end?.run ? toEndView(end.run) : undefined);
    }
    return named.size > 0 ? 0 : POLL_MS;
  };
  const onError = (error: unknown): void => {
    // What was named is found by the pass over all.
    polledAt = -Infinity;
    context.log('warn', 'the ends of child runs could not be read; trying again', { error: String(error) });
  };
  const loop = startLoop(pass, { pauseMs: RETRY_MS, onError });
  const fresh: string[] = [];
  let gathering: NodeJS.Timeout | undefined;
  const lookSoon = (runId: string): void => {
    fresh.push(runId);
    gathering ??= setTimeout(() => {
      gathering = undefined;
      for (const one of fresh.splice(0)) named.add(one);
      loop.wake();
    }, GATHER_MS).unref();
  };
  const stopListening = context.signals.on('run', (runId, run) => {
    if (run !== undefined && run.ended_at === null) return;
    const end = run && toEndView(run);
    expected.hear(runId, end);
    if (!waiting.has(runId)) return;
    if (end !== undefined) return settle(waiting, runId, end);
    named.add(runId);
    loop.wake();
  });
  return {
    expect: expected.add,
    async ended(runId, until) {
      until?.throwIfAborted();
      const known = expected.take(runId);
      if (typeof known === 'object') return known;
      const end = wait(waiting, runId, until);
      if (known !== 'nothing yet') lookSoon(runId);
      return end;
    },
    stop() {
      stopListening();
      clearTimeout(gathering);
      return loop.stop();
    },
  };
}

type Heard = RunView | 'named' | 'nothing yet';

/** What was heard of the ends of runs from their start until somebody waits for them. */
function createExpected() {
  const heard = new Map<string, Heard>();
  return {
    add(runId: string): void {
      heard.set(runId, 'nothing yet');
      if (heard.size > MOST_EXPECTED) heard.delete(heard.keys().next().value!);
    },
    hear(runId: string, end: RunView | undefined): void {
      if (heard.has(runId)) heard.set(runId, end ?? 'named');
    },
    /** Undefined for a run that was not started here, or long ago. */
    take(runId: string): Heard | undefined {
      const known = heard.get(runId);
      heard.delete(runId);
      return known;
    },
  };
}

/** The snapshot may be large: who waits for the end does not get it, and no end that nobody asks for holds it. */
function toEndView(run: RunRow): RunView {
  return toRunView({ ...run, snapshot: null });
}

type Settle = (run: RunView | undefined) => void;
type Waiting = Map<string, Set<Settle>>;

function settle(waiting: Waiting, runId: string, run: RunView | undefined): void {
  const settles = waiting.get(runId) ?? [];
  waiting.delete(runId);
  for (const one of settles) one(run);
}

function wait(waiting: Waiting, runId: string, until: AbortSignal | undefined): Promise<RunView | undefined> {
  return new Promise((resolve, reject) => {
    const settles = waiting.get(runId) ?? new Set();
    const giveUp = (): void => {
      settles.delete(end);
      if (settles.size === 0 && waiting.get(runId) === settles) waiting.delete(runId);
      reject(until!.reason as Error);
    };
    const end: Settle = (run) => {
      until?.removeEventListener('abort', giveUp);
      resolve(run);
    };
    until?.addEventListener('abort', giveUp, { once: true });
    waiting.set(runId, settles.add(end));
  });
}
