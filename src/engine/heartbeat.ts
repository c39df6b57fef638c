import { Failure } from '../errors.ts';
import type { RunningAttempt } from './attempt.ts';
import type { EngineContext } from './context.ts';
import { renewLeases } from './tables/claim.ts';

/**
 * Renews the leases of all attempts of this worker in one statement, three times per lease. It also learns of cancel
 * requests whose signal was lost, and of attempts that somebody took over. When the database cannot be reached for a
 * whole lease, the attempts are given up: another worker may have them by then.
 */
export function createHeartbeat(
  context: EngineContext,
  running: ReadonlySet<RunningAttempt>,
): { stop(): Promise<void> } {
  const { leaseSeconds } = context.settings;
  let renewedAt = context.world.elapsed();
  let beating: Promise<void> | undefined;

  const beat = async (): Promise<void> => {
    const attempts = [...running];
    if (attempts.length === 0) {
      renewedAt = context.world.elapsed();
      return;
    }
    const startedAt = context.world.elapsed();
    try {
      const held = attempts.map(({ claim }) => ({ taskId: claim.task.id, number: claim.task.attempt }));
      const renewed = await renewLeases(context.store.db, { held, leaseSeconds });
      renewedAt = startedAt;
      tell(context, { attempts, running, renewed });
    } catch (error) {
      context.log('warn', 'leases could not be renewed', { error: String(error) });
      if (context.world.elapsed() - renewedAt < leaseSeconds * 1000) return;
      for (const attempt of attempts) lose(context, attempt);
    }
  };
  const timer = setInterval(
    () => {
      beating ??= beat().finally(() => {
        beating = undefined;
      });
    },
    (leaseSeconds * 1000) / 3,
  );
  return {
    async stop() {
      clearInterval(timer);
      await beating;
    },
  };
}

interface Renewal {
  readonly attempts: readonly RunningAttempt[];
  readonly running: ReadonlySet<RunningAttempt>;
  readonly renewed: Awaited<ReturnType<typeof renewLeases>>;
}

function tell(context: EngineContext, { attempts, running, renewed }: Renewal): void {
  const byTask = new Map(renewed.map((row) => [`${row.taskId} ${row.number}`, row]));
  for (const attempt of attempts) {
    const { task } = attempt.claim;
    const row = byTask.get(`${task.id} ${task.attempt}`);
    // An attempt that has ended meanwhile is not renewed either.
    if (row === undefined && running.has(attempt)) lose(context, attempt);
    else if (row?.cancelRequested) attempt.abort(new Failure('cancelled', 'the run was cancelled'));
  }
}

function lose(context: EngineContext, attempt: RunningAttempt): void {
  context.metrics.leaseLost?.();
  attempt.abort(new Failure('lease_lost', 'another worker took over this task'));
}
