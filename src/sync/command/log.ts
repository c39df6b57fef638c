import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { LogLine } from '../../connectors/kit/index.ts';
import type { World } from '../../world.ts';

const ROTATE_BYTES = 100 * 1024 * 1024;
const BACKUPS = 5;

/** One message line of the protocol (contract 5.2). */
export function messageLine(type: string, body: Record<string, unknown>): string {
  return `${JSON.stringify({ type, ...body })}\n`;
}

export function logMessage(line: LogLine, time: Date): string {
  return messageLine('LOG', { log: { level: line.level, message: line.message, time: time.toISOString() } });
}

/** Appends the lines of one run to `logs/<verb>_<time>/olake.log` below the folder. */
export function openLogFile(folder: string, verb: string, world: World): (line: LogLine) => void {
  const stamp = world.now().toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-');
  const home = join(folder, 'logs', `${verb}_${stamp}`);
  const path = join(home, 'olake.log');
  mkdirSync(home, { recursive: true });
  return (line) => {
    appendFileSync(
      path,
      `${JSON.stringify({ level: line.level, time: world.now().toISOString(), message: line.message })}\n`,
    );
    if (statSync(path).size > ROTATE_BYTES) rotate(path);
  };
}

function rotate(path: string): void {
  for (let n = BACKUPS - 1; n >= 1; n--) {
    if (existsSync(`${path}.${n}.gz`)) renameSync(`${path}.${n}.gz`, `${path}.${n + 1}.gz`);
  }
  writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(path)));
  writeFileSync(path, '');
}
