import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

const PRLIMIT = '/usr/bin/prlimit';
const ADDRESS_SPACE_BYTES = 4 * 1024 ** 3;
const FILE_BYTES = 10 * 1024 ** 3;
const OPEN_FILES = 1024;

let isThere: Promise<boolean> | undefined;

/**
 * The program under limits of the system: processor time (the time limit for each process), 4 GiB of addresses, files of
 * 10 GiB, 1024 open files, no core files. Without `prlimit` (util-linux) on this machine it runs without them.
 */
export async function limitsOf(ask: {
  readonly command: string;
  readonly args: readonly string[];
  readonly timeoutSeconds: number;
}): Promise<{ readonly program: string; readonly args: readonly string[] }> {
  isThere ??= access(PRLIMIT, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!(await isThere)) return { program: ask.command, args: ask.args };
  const limits = [
    `--cpu=${ask.timeoutSeconds}`,
    `--as=${ADDRESS_SPACE_BYTES}`,
    `--fsize=${FILE_BYTES}`,
    `--nofile=${OPEN_FILES}`,
    '--core=0',
  ];
  return { program: PRLIMIT, args: [...limits, '--', ask.command, ...ask.args] };
}
