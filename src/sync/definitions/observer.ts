import type { RunObserver, RunView } from '../../engine/index.ts';
import { removeLoadsOfRun } from '../attempt/share/tables.ts';
import type { SyncSnapshot } from '../types.ts';
import { jobIdOf } from './run-plans.ts';
import { setLastRun } from './tables/jobs.ts';
import { findSettings } from './tables/settings.ts';
import type { RunKind, Transaction } from './types.ts';
import type { Engine } from '../../engine/index.ts';

/**
 * Forget the shared loads of a run that has ended. Keep the newest run on the job's row, in the transaction that changes the run; a failed sync of a project with a
 * webhook also queues one alert. `publish` is the engine's.
 */
export function createRunObservers(publish: Engine['publish']): readonly RunObserver[] {
  const observe = (kind: RunKind): RunObserver => ({
    kind,
    async runChanged(tx, run) {
      if (kind === 'sync' && run.endedAt) await removeLoadsOfRun(tx, run.id);
      const jobId = jobIdOf(run.definition);
      if (jobId === undefined) return;
      await setLastRun(tx, jobId, {
        last_run_id: run.id,
        last_run_queued_at: run.queuedAt,
        last_run_time: run.startedAt ?? run.queuedAt,
        last_run_state: run.state,
        last_run_type: kind,
      });
      if (kind === 'sync' && run.state === 'failed') await alert(publish, tx, { run, jobId });
    },
  });
  return [observe('sync'), observe('clear')];
}

async function alert(
  publish: Engine['publish'],
  tx: Transaction,
  { run, jobId }: { readonly run: RunView; readonly jobId: number },
): Promise<void> {
  const settings = await findSettings(tx, run.project);
  if (!settings?.webhook_alert_url) return;
  const name = (run.snapshot as Partial<SyncSnapshot> | null)?.jobName ?? '';
  const time = (run.startedAt ?? run.queuedAt).toISOString();
  const cause = (run.error?.message ?? 'unknown cause').slice(0, 1000);
  const text = `*Sync failed*\n*Job:* ${name} (id ${jobId})\n*Cause:* ${cause}\n*Last run:* ${time}`;
  await publish(tx, {
    key: `alert/${run.id}`,
    topic: 'webhook',
    payload: { url: settings.webhook_alert_url, body: { text } },
  });
}
