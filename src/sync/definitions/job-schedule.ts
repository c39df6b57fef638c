import { maintenanceFrequency } from './maintenance.ts';
import { advancedOf, CONTINUOUS, isContinuous, jobKey } from './run-plans.ts';
import { tableRunKey } from './table-runs.ts';
import type { JobRow } from './tables/jobs.ts';
import type { DefinitionRooms, Transaction } from './types.ts';

/** How soon a job that stays on is started again when its run has ended. */
const AGAIN = '@every 10s';

/** Throws `bad_request` for text that is no frequency of a job. */
export function checkFrequency({ schedule }: DefinitionRooms, text: string): void {
  if (text.trim().toLowerCase() !== CONTINUOUS) schedule.check(text);
}

type Scheduled = Pick<JobRow, 'id' | 'active' | 'frequency' | 'advanced_settings'>;

/** Makes the schedules follow the job: an inactive or deleted job has none. */
export async function reschedule({ schedule }: DefinitionRooms, tx: Transaction, job: Scheduled): Promise<void> {
  const upkeep = job.active ? maintenanceFrequency(job.id, advancedOf(job)) : null;
  if (job.active) await schedule.set(tx, jobKey(job.id), isContinuous(job) ? AGAIN : job.frequency);
  else await schedule.remove(tx, jobKey(job.id));
  const upkeepKey = tableRunKey('maintain', job.id);
  if (upkeep === null) await schedule.remove(tx, upkeepKey);
  else await schedule.set(tx, upkeepKey, upkeep);
}
