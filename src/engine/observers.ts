import { sql } from 'kysely';
import type { Transaction } from '../store/index.ts';
import type { EngineContext } from './context.ts';
import { toRunView } from './tables/rows.ts';
import type { RunRow } from './tables/rows.ts';

/**
 * Tells the observers of a run's kind of its new state, inside the transaction that makes it. At `accept` a failing
 * observer refuses the run. Later the run must be able to end whatever an observer does: its writes are undone alone,
 * and the defect is logged.
 */
export async function tellObservers(
  context: EngineContext,
  tx: Transaction,
  change: { run: RunRow; isAccept?: boolean },
): Promise<void> {
  const interested = context.observers.filter((observer) => observer.kind === change.run.kind);
  if (interested.length === 0) return;
  const view = toRunView(change.run);
  for (const observer of interested) {
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
      context.log('error', 'an observer of runs failed; its writes are undone', { run: view.id, error: String(error) });
    }
  }
}

/** Serialization failures and deadlocks repeat the whole transaction. A lost connection fails the rollback by itself. */
function mustRepeat(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '40001' || code === '40P01';
}
