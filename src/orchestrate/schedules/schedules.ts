import type { JobRooms } from '../jobs/jobs.ts';
import { createBackfills } from './backfill.ts';
import { nextTicks } from './crontab.ts';
import { createFire } from './fire.ts';
import { ORCHESTRATION_SCHEDULE } from './kind.ts';
import { createOvertaking, OVERTAKEN } from './overtaken.ts';
import { readUnmade } from './tables.ts';
import type { Schedules } from './types.ts';

const SHOWN_TIMES = 5;
const SHOWN_UNMADE = 20;

/** Schedules of orchestrations on the scheduler. */
export function createSchedules(rooms: JobRooms): Schedules {
  const backfills = createBackfills(rooms);
  return {
    ...backfills,
    fireAll: createFire(rooms),
    async get(project, orchestrationId) {
      const orchestration = await rooms.definitions.get(project, orchestrationId);
      const { active, crontabRecord, zone } = orchestration;
      const [unmade, schedule] = await Promise.all([
        readUnmade(rooms.store.db, orchestrationId, SHOWN_UNMADE),
        rooms.scheduler.get(`${ORCHESTRATION_SCHEDULE}/${orchestrationId}`),
      ]);
      const from = { after: rooms.world.now(), zone, count: SHOWN_TIMES };
      const nextTimes = active && crontabRecord !== null ? nextTicks(crontabRecord, from) : [];
      return { orchestration, nextTimes, unmade, lastError: schedule?.lastError ?? null };
    },
    deliverers: { ...backfills.deliverers, [OVERTAKEN]: createOvertaking(rooms) },
  };
}
