import { parseArgs } from 'node:util';
import { Failure } from '../../errors.ts';

export const VERBS = ['spec', 'check', 'discover', 'sync', 'clear-destination'] as const;

const OPTIONS = {
  config: { type: 'string' },
  destination: { type: 'string' },
  'destination-type': { type: 'string' },
  catalog: { type: 'string' },
  streams: { type: 'string' },
  state: { type: 'string' },
  difference: { type: 'string' },
  'destination-database-prefix': { type: 'string' },
  'max-discover-threads': { type: 'string' },
  timeout: { type: 'string' },
  'destination-buffer-size': { type: 'string' },
  'encryption-key-file': { type: 'string' },
  'no-save': { type: 'boolean' },
} as const;

/** What the caller typed, as contract 5.1 names it. */
export interface CommandArguments {
  readonly type: string;
  readonly verb: (typeof VERBS)[number];
  readonly config?: string;
  readonly destination?: string;
  readonly destinationType?: string;
  /** The old catalog; `--streams` is another word for it. */
  readonly streams?: string;
  readonly state?: string;
  readonly difference?: string;
  readonly prefix: string;
  readonly threads: number;
  readonly timeoutMs?: number;
  readonly save: boolean;
}

export const USAGE = `usage: penstock connector <source-type> <${VERBS.join('|')}> [--config F] [--destination F] [--catalog F] [--state F]`;

/** Throws `bad_request` whose sentence is the usage or names the wrong flag. */
export function readArguments(args: readonly string[]): CommandArguments {
  const { values, positionals } = parse(args);
  const [type, verb, ...rest] = positionals;
  const known = VERBS.find((candidate) => candidate === verb);
  if (type === undefined || known === undefined || rest.length > 0) throw new Failure('bad_request', USAGE);
  if (values['encryption-key-file'] !== undefined) {
    throw new Failure('bad_request', '--encryption-key-file: encrypted files are not read; give plain JSON');
  }
  const seconds = whole(values.timeout, '--timeout');
  return {
    type,
    verb: known,
    config: values.config,
    destination: values.destination,
    destinationType: values['destination-type'],
    streams: values.streams ?? values.catalog,
    state: values.state,
    difference: values.difference,
    prefix: values['destination-database-prefix'] ?? '',
    threads: whole(values['max-discover-threads'], '--max-discover-threads') ?? 50,
    timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    save: values['no-save'] !== true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new Failure('bad_request', `${(error as Error).message}\n${USAGE}`);
  }
}

function whole(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Failure('bad_request', `${flag}: give a whole number from 1`);
  return Number(text);
}

/** A flag that the verb cannot do without. */
export function need(value: string | undefined, flag: string): string {
  if (value === undefined) throw new Failure('bad_request', `${flag} is required\n${USAGE}`);
  return value;
}
