import { describeSettings } from '../config.ts';
import { expectArguments, type Command } from './command.ts';

export const settings: Command = {
  name: 'settings',
  arguments: '',
  about: 'List every setting with its default.',
  async run(args, io) {
    expectArguments(args, []);
    const rows = describeSettings();
    const width = Math.max(...rows.map(({ variable }) => variable.length)) + 2;
    for (const { variable, fallback, about } of rows) {
      const standard = fallback === '' ? '' : ` [${fallback}]`;
      io.out(`${variable.padEnd(width)}${about}${standard}`);
    }
    return 0;
  },
};
