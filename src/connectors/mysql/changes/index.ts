export { createChangeLog } from './log.ts';
export type { SessionChangeLog } from './log.ts';
export { checkLogSettings } from './settings.ts';
