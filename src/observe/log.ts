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
  const said = String(msg ?? '').replaceAll('\n', String.raw`\n`);
  return withoutControls(`${String(time).slice(11, 19)} ${word.padEnd(5)} ${said}${more}${trace}`);
}

/** Text of others, such as the message of a database, must not move the cursor of a terminal or forge what it shows. */
function withoutControls(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not reach a terminal
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
