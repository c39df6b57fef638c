import { closeCloudKeys, type Config } from '../config.ts';
import { createWorld } from '../world.ts';
import type { PlatformRole } from '../platform.ts';
import { expectArguments, type Command, type CommandIo } from './command.ts';
import { untilAskedToStop } from './stop.ts';

export const serve = command('serve', 'Start the server: API and worker in one process.');
export const api = command('api', 'Start the API alone, on the database of a running server.');
export const worker = command('worker', 'Start a worker alone, on the database of a running server.');

function command(role: PlatformRole, about: string): Command {
  return {
    name: role,
    arguments: '',
    about,
    async run(args, io) {
      expectArguments(args, []);
      const config = io.readConfig();
      closeCloudKeys(config);
      const stop = untilAskedToStop();
      const { createPlatform } = await import('../platform.ts');
      const platform = await createPlatform(config, createWorld(), { role });
      try {
        const url = await platform.start();
        announce(io, { role, url, config, password: platform.access.generatedPassword });
        await stop;
        io.out('Stopping …');
      } finally {
        await platform.close();
      }
      return 0;
    },
  };
}

interface Announcement {
  readonly role: PlatformRole;
  readonly url: string | undefined;
  readonly config: Config;
  readonly password: string | null;
}

/** Says where the server is and how to get in. The only place where a generated password is ever shown. */
function announce(io: CommandIo, { role, url, config, password }: Announcement): void {
  if (url === undefined) io.out(`Penstock ${role} is at work.`);
  else io.out(`Penstock is ready at ${config.publicUrl ?? url}`);
  if (config.publicUrl !== null && url !== undefined) io.out(`  listening  ${url}`);
  if (password !== null) io.out(`  sign in    ${config.adminUser} / ${password}   (shown this once: keep it)`);
  else if (url !== undefined) io.out(`  sign in    ${config.adminUser}`);
  io.out(`  data       ${config.dataDir}`);
}
