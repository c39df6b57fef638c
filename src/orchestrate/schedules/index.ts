export { ORCHESTRATION_SCHEDULE, orchestrationSchedules } from './kind.ts';
export { createSchedules } from './schedules.ts';
export type * from './types.ts';
