export { checkZone, lastFire, nextFire, nextFires, parseFrequency } from './frequency.ts';
export type { Frequency } from './frequency.ts';
export { ON_TIME_MS } from './kinds.ts';
export type { Calendar, OnFire, ScheduleKind, Tick } from './kinds.ts';
export { createScheduler, fireKey } from './scheduler.ts';
export type { Scheduler, SchedulerOptions, ScheduleRow, ScheduleSetting } from './scheduler.ts';
