export { runCommand } from './run.ts';
export type { Command, CommandIo } from './command.ts';
