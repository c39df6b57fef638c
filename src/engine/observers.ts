import { sql } from 'kysely';
import type { Transaction } from '../store/index.ts';
import type { EngineContext } from './context.ts';
import { lockRun } from './tables/finish.ts';
import { insertMessage } from './tables/outbox.ts';
import { toRunView } from './tables/rows.ts';
import type { RunRow } from './tables/rows.ts';
import type { Deliver, RunObserver, State } from './types.ts';

/** Topic of the outbox: an observer has failed, and is told again. */
export const TELL_AGAIN = 'engine.tell-again';

interface Untold {
  readonly runId: string;
  readonly state: State;
  /** Of the observer among those of this kind of run. */
  readonly place: number;
}

/**
 * Tells the observers of a run's kind of its new state, inside the transaction that makes it. At `accept` a failing
 * observer refuses the run. Later the run must be able to end whatever an observer does: its writes are undone alone, the
 * defect is logged, and a message of the outbox tells it again.
 */
export async function tellObservers(
  context: EngineContext,
  tx: Transaction,
  change: { run: RunRow; isAccept?: boolean },
): Promise<void> {
  const interested = observersOf(context, change.run);
  if (interested.length === 0) return;
  const view = toRunView(change.run);
  for (const [place, observer] of interested.entries()) {
    if (change.isAccept) {
      await observer.runChanged(tx, view);
      continue;
    }
    await sql`savepoint observer`.execute(tx);
    try {
      await observer.runChanged(tx, view);
      await sql`release savepoint observer`.execute(tx);
    } catch (error) {
      if (mustRepeat(error)) throw error;
      await sql`rollback to savepoint observer`.execute(tx);
      context.log('error', 'an observer of runs failed; it is told again', { run: view.id, error: String(error) });
      const payload: Untold = { runId: view.id, state: view.state, place };
      const key = `${TELL_AGAIN}/${view.id}/${view.state}/${place}`;
      await insertMessage(tx, { key, topic: TELL_AGAIN, payload });
    }
  }
}

/** Tells an observer what it failed to take before; of a run that has moved on, it was told since. */
export function createTellAgain(context: EngineContext): Deliver {
  return async ({ payload }) => {
    const { runId, state, place } = payload as Untold;
    await context.store.transaction(async (tx) => {
      const run = await lockRun(tx, runId);
      if (run?.state === state) await observersOf(context, run)[place]?.runChanged(tx, toRunView(run));
    });
  };
}

function observersOf(context: EngineContext, { kind }: RunRow): readonly RunObserver[] {
  return context.observers.filter((observer) => observer.kind === kind);
}

/** Serialization failures and deadlocks repeat the whole transaction. A lost connection fails the rollback by itself. */
function mustRepeat(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '40001' || code === '40P01';
}
