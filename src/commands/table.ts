import type { Command } from './command.ts';
import { migrate } from './migrate.ts';
import { api, serve, worker } from './serve.ts';
import { settings } from './settings.ts';
import { version } from './version.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [serve, api, worker, migrate, settings, version];
