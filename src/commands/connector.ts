import { createWorld } from '../world.ts';
import type { Command } from './command.ts';
import { openStoreBeside } from './store.ts';

export const connector: Command = {
  name: 'connector',
  arguments: 'TYPE VERB …',
  about: 'Run a connector without a server: spec, check, discover, sync, clear-destination.',
  async run(args, io) {
    const world = createWorld();
    const config = io.readConfig();
    const stopping = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort());
    const { runConnectorCommand } = await import('../sync/index.ts');
    return runConnectorCommand(args, {
      world,
      config,
      signal: stopping.signal,
      write: (text) => process.stdout.write(text),
      async openCatalog(project) {
        const store = await openStoreBeside(config, world);
        const { catalogIn } = await import('../warehouse/index.ts');
        return { catalog: catalogIn(store.db, project), close: () => store.close() };
      },
    });
  },
};
