import type { Config } from '../config.ts';

/** What a command may touch of the process that runs it. */
export interface CommandIo {
  out(line: string): void;
  err(line: string): void;
  /** Reads the settings when a command needs them; throws `configuration_invalid` when they are wrong. */
  readConfig(): Config;
}

/** One word after `penstock`. */
export interface Command {
  readonly name: string;
  /** Arguments as shown in the help, e.g. `FILE`. */
  readonly arguments: string;
  readonly about: string;
  /** Answers the exit code. Throws a `UsageError` for wrong arguments, a `Failure` for what went wrong. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** The command line itself is wrong: it is shown with the help, and the exit code is 2. */
export class UsageError extends Error {}

/** The arguments, when there are exactly as many as the command names. */
export function expectArguments(args: readonly string[], names: readonly string[]): string[] {
  if (args.length > names.length) throw new UsageError(`unexpected argument "${args[names.length]}"`);
  if (args.length < names.length) throw new UsageError(`${names[args.length]} is missing`);
  return [...args];
}
