import { backup } from './backup.ts';
import type { Command } from './command.ts';
import { connector } from './connector.ts';
import { migrate } from './migrate.ts';
import { restore } from './restore.ts';
import { api, serve, worker } from './serve.ts';
import { settings } from './settings.ts';
import { version } from './version.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  serve,
  api,
  worker,
  migrate,
  backup,
  restore,
  settings,
  connector,
  version,
];
