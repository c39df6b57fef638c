export { checkZone, lastFire, nextFire, nextFires, parseFrequency } from './frequency.ts';
export type { Frequency } from './frequency.ts';
export { createScheduler, fireKey } from './scheduler.ts';
export type { OnFire, Scheduler, SchedulerOptions, ScheduleRow, ScheduleSetting } from './scheduler.ts';
