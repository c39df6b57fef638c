import { createWorld } from '../world.ts';
import { expectArguments, type Command } from './command.ts';

export const migrate: Command = {
  name: 'migrate',
  arguments: '',
  about: 'Bring the database to the state of this version, then end.',
  async run(args, io) {
    expectArguments(args, []);
    const config = io.readConfig();
    const [{ openStore }, { installQueue }] = await Promise.all([
      import('../store/index.ts'),
      import('../engine/index.ts'),
    ]);
    const store = await openStore(config, createWorld());
    try {
      await installQueue(store);
    } finally {
      await store.close();
    }
    io.out('The database is up to date.');
    return 0;
  },
};
