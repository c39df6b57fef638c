import { appendFileSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RefusedRow } from '../../../connectors/kit/index.ts';
import { Failure } from '../../../errors.ts';
import type { AdvancedSettings } from '../../types.ts';
import type { ChildIo } from '../io.ts';
import { QUARANTINE_FILE } from '../run-folders.ts';
import { printLine } from './quarantine-line.ts';

export interface Quarantine {
  /** Keeps the refused row with its reason, or throws `value_refused` when the run must not go on. */
  refuse(stream: string, row: RefusedRow): void;
  /** Counts rows that another process refused and kept; throws when there are too many now. */
  add(stream: string, rows: number): void;
  readonly count: number;
}

const DEFAULT_LIMIT = 1000;
/** So many refused rows are named in the log, which people can read from anywhere; the file holds all of them. */
const LOGGED = 20;
/** When the file has grown so large, later rows are kept without their values. */
const FILE_BYTES = 64 * 1024 * 1024;

/**
 * Refused rows go to `quarantine.ndjson` of the run's folder, each with its values, durable enough to be read when the
 * process dies. What a line holds: `QuarantineLine`. Values never go to the log.
 */
export function createQuarantine(
  settings: AdvancedSettings,
  options: { readonly folder: string; readonly io: Pick<ChildIo, 'world' | 'log'> },
): Quarantine {
  const limit = settings.max_quarantine ?? DEFAULT_LIMIT;
  let count = 0;
  let logged = 0;
  const tooMany = (last: string): Failure =>
    new Failure('value_refused', `more than ${limit} rows were refused; the last: ${last}`, {
      advice: 'Correct the rows in the source, or raise max_quarantine.',
    });
  return {
    get count() {
      return count;
    },
    add(stream, rows) {
      count += rows;
      if (count > limit) throw tooMany(`in stream ${stream}`);
    },
    refuse(stream, row) {
      const { column, reason, key } = row;
      const sentence = `stream ${stream}, column ${column}, row ${key}: ${reason}`;
      if (settings.error_policy !== 'quarantine') throw new Failure('value_refused', sentence);
      if (count >= limit) throw tooMany(sentence);
      count++;
      if (logged++ < LOGGED) options.io.log({ level: 'warn', message: `refused: ${sentence}` });
      mkdirSync(options.folder, { recursive: true });
      const path = join(options.folder, QUARANTINE_FILE);
      // Asked each time: readers of a shared load write to the same file.
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      const line = printLine({ ...row, stream, time: options.io.world.now() }, size < FILE_BYTES);
      appendFileSync(path, line, { mode: 0o600 });
    },
  };
}
