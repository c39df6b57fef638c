import { Writable } from 'node:stream';
import { pino, stdTimeFunctions, type Logger } from 'pino';
import type { Config } from '../config.ts';

const SECRET_KEYS = ['password', 'token', 'secret', 'secretKey', 'authorization', 'cookie', 'config', 'databaseUrl'];
const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/**
 * The log of the process: JSON lines on standard error, or one readable line each when a person watches. Values under
 * the usual names of secrets are cut out at the first three levels.
 */
export function createLog(config: Pick<Config, 'logLevel'>, output: NodeJS.WriteStream = process.stderr): Logger {
  const paths = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);
  const options = {
    level: config.logLevel,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths, censor: '********' },
  };
  return output.isTTY && config.logLevel !== 'debug' ? pino(options, toPeople(output)) : pino(options, output);
}

/** `03:14:07 warn  lease lost {"run":"r_…"}` */
function toPeople(output: NodeJS.WriteStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      output.write(`${sayLine(String(line))}\n`, () => done());
    },
  });
}

function sayLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const word = LEVELS[Number(level)] ?? String(level);
  const error = err as { message?: string; stack?: string } | undefined;
  const more = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
  const trace = error === undefined ? '' : `\n  ${error.stack ?? error.message ?? ''}`;
  return `${String(time).slice(11, 19)} ${word.padEnd(5)} ${String(msg ?? '')}${more}${trace}`;
}
