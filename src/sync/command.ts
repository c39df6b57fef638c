export type { CommandIo } from './command/io.ts';
export { runConnectorCommand } from './command/run.ts';
export { describeStats } from './command/stats.ts';
