import { Failure } from '../errors.ts';
import { UsageError, type CommandIo } from './command.ts';
import { commands } from './table.ts';

const HELP_WORDS = ['help', '--help', '-h'];

/** Runs one command line and answers the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCommand(args: readonly string[], io: CommandIo): Promise<number> {
  const [word, ...rest] = args;
  if (word === undefined) return refuse('name a command', io);
  if (HELP_WORDS.includes(word)) {
    io.out(describeCommands());
    return 0;
  }
  const command = commands.find(({ name }) => name === word.replace(/^--/, ''));
  if (command === undefined) return refuse(`unknown command "${word}"`, io);
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) return refuse(`${word}: ${error.message}`, io);
    if (!(error instanceof Failure) || error.kind === 'internal') throw error;
    io.err(`penstock: ${error.message.replace(/\.$/, '')}. ${error.advice}`);
    return 1;
  }
}

function refuse(reason: string, io: CommandIo): number {
  io.err(`penstock: ${reason}\n\n${describeCommands()}`);
  return 2;
}

function describeCommands(): string {
  const rows = [
    ...commands.map((command) => ({ left: `${command.name} ${command.arguments}`.trim(), about: command.about })),
    { left: 'help', about: 'Show this text.' },
  ];
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  const lines = rows.map(({ left, about }) => `  ${left.padEnd(width)}${about}`);
  return `Usage: penstock COMMAND\n\n${lines.join('\n')}\n\nSettings are PENSTOCK_* environment variables.`;
}
