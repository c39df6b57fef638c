import {
  asFields,
  invalidField,
  parseHost,
  parsePort,
  parseSsl,
  parseText,
  parseThreads,
  type Fields,
  type SslConfig,
} from '../kit/index.ts';
import type { Place } from './failures.ts';

export interface PostgresConfig extends Place {
  readonly password: string;
  readonly ssl: SslConfig;
  /** Empty = every schema. */
  readonly schemas: readonly string[];
  readonly maxThreads: number;
  /** There when changes are to be read. */
  readonly changes?: ChangesConfig;
}

export interface ChangesConfig {
  readonly slot: string;
  readonly publication: string;
  /** Seconds in which the first message of the log must come. */
  readonly initialWait: number;
  /** Makes slot and publication when they are not there. */
  readonly createMissing: boolean;
}

/** Reads a configuration; unknown keys are ignored, a wrong value is a `configuration_invalid` failure that names the field. */
export function parseConfig(config: unknown): PostgresConfig {
  const fields = asFields(config, 'config');
  return {
    host: parseHost(fields, 'host'),
    port: parsePort(fields['port']),
    database: parseText(fields, 'database'),
    username: parseText(fields, 'username'),
    password: parseText(fields, 'password', { blank: true }),
    ssl: parseSsl(fields['ssl']),
    schemas: parseSchemas(fields['schemas']),
    maxThreads: parseThreads(fields['max_threads']),
    changes: parseUpdateMethod(fields),
  };
}

function parseSchemas(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidField('schemas', 'must be a list of names');
  return value.map((entry: unknown) => {
    if (typeof entry !== 'string' || entry.trim() === '') throw invalidField('schemas', 'must not hold blank entries');
    return entry;
  });
}

/** `default_mode` is the older word for the same choice. */
function parseUpdateMethod(fields: Fields): ChangesConfig | undefined {
  const given = fields['update_method'];
  const method = given === undefined || given === null ? {} : asFields(given, 'update_method');
  const older =
    fields['default_mode'] === 'cdc' || typeof method['replication_slot'] === 'string' ? 'CDC' : 'Standalone';
  const type = method['type'] ?? older;
  if (type !== 'Standalone' && type !== 'CDC')
    throw invalidField('update_method.type', 'must be "Standalone" or "CDC"');
  if (type === 'Standalone') return undefined;
  const name = (key: string): string => {
    const value = method[key];
    if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return value;
    throw invalidField(`update_method.${key}`, 'is required to read changes');
  };
  return {
    slot: name('replication_slot'),
    publication: name('publication'),
    initialWait: initialWait(method['initial_wait_time'] ?? method['intial_wait_time']),
    createMissing: method['create_missing'] === true,
  };
}

const LEAST_WAIT = 120;
const LONGEST_WAIT = 10_800;

/** At least two minutes; 0 stands for three hours. */
function initialWait(value: unknown): number {
  if (value === undefined || value === null) return LEAST_WAIT;
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || seconds < 0) {
    throw invalidField('update_method.initial_wait_time', 'must be a whole number of seconds');
  }
  return seconds === 0 ? LONGEST_WAIT : Math.min(Math.max(seconds, LEAST_WAIT), LONGEST_WAIT);
}
