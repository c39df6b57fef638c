import { runCommand } from './commands/index.ts';
import { readConfig } from './config.ts';

process.exitCode = await runCommand(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  readConfig: () => readConfig(),
});
