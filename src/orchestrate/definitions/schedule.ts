import type { Transaction } from '../../store/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { fieldsOf, nextTicks } from '../schedules/crontab.ts';
import type { Orchestration } from '../types.ts';

export type Timing = Pick<Orchestration, 'id' | 'crontabRecord' | 'zone' | 'catchUp' | 'active'>;

/** The key of its schedule, and the definition of its runs. */
export function keyOf(id: number): string {
  return `orchestration/${id}`;
}

/** Counts its schedule from now, or takes it away when it has none or is inactive; answers the next instant. */
export async function reschedule(
  rooms: Pick<OrchestrateRooms, 'scheduler'>,
  tx: Transaction,
  { id, crontabRecord, zone, catchUp, active }: Timing,
): Promise<Date | null> {
  const key = keyOf(id);
  if (crontabRecord === null || !active) {
    await rooms.scheduler.remove(tx, key);
    return null;
  }
  const frequency = fieldsOf(crontabRecord);
  return rooms.scheduler.set(tx, { key, frequency, zone, catchUp: catchUp === 'none' ? 'none' : 'once' });
}

/** The next instant as people see it: the stored one, or, where that passed while no scheduler ran, the one after now. */
export function upcoming(
  {
    crontabRecord,
    zone,
    nextScheduledTime: stored,
  }: Pick<Orchestration, 'crontabRecord' | 'zone' | 'nextScheduledTime'>,
  now: Date,
): Date | null {
  if (stored === null || crontabRecord === null || stored > now) return stored;
  return nextTicks(crontabRecord, { after: now, zone, count: 1 })[0] ?? null;
}
