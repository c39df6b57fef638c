import type { ScheduleKind } from '../../schedule/index.ts';
import { lastTick, nextTicks } from './crontab.ts';

/** Prefix of the keys of their schedules. */
export const ORCHESTRATION_SCHEDULE = 'orchestration';

/** How the scheduler reads and fires the schedules of orchestrations: crontab records, by the batch. */
export function orchestrationSchedules(fireAll: ScheduleKind['fireAll']): ScheduleKind {
  return {
    calendar: {
      next: ({ frequency, zone }, after) => nextTicks(frequency, { after, zone, count: 1 })[0],
      last: ({ frequency, zone }, at) => lastTick(frequency, { at, zone }),
    },
    fireAll,
  };
}
