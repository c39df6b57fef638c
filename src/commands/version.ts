import { version as number } from '../version.ts';
import { expectArguments, type Command } from './command.ts';

export const version: Command = {
  name: 'version',
  arguments: '',
  about: 'Show the version.',
  async run(args, io) {
    expectArguments(args, []);
    io.out(`penstock ${number} (node ${process.versions.node})`);
    return 0;
  },
};
