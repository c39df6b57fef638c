import { Failure } from '../../errors.ts';
import type { Place } from './failures.ts';

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

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

export interface SslConfig {
  readonly mode: SslMode;
  readonly serverCa?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

type Fields = Readonly<Record<string, unknown>>;

const SSL_MODES: readonly SslMode[] = ['disable', 'require', 'verify-ca', 'verify-full'];
const DEFAULT_THREADS = 3;
const MOST_THREADS = 64;

/** Reads a configuration; unknown keys are ignored, a wrong value is a `configuration_invalid` failure that names the field. */
export function parseConfig(config: unknown): PostgresConfig {
  const fields = asFields(config, 'config');
  const host = text(fields, 'host');
  if (host.toLowerCase().includes('http')) {
    throw invalid('host', 'must be a host name or an address, without "http"');
  }
  return {
    host,
    port: port(fields, 'port'),
    database: text(fields, 'database'),
    username: text(fields, 'username'),
    password: text(fields, 'password', { blank: true }),
    ssl: parseSsl(fields),
    schemas: parseSchemas(fields['schemas']),
    maxThreads: threads(fields['max_threads']),
    changes: parseUpdateMethod(fields),
  };
}

/** Tunnels come later: anything but `no_tunnel` fails, so that nobody believes in a tunnel that is not there. */
export function refuseTunnel(config: unknown): void {
  const ssh = asFields(config, 'config')['ssh_config'];
  if (ssh === undefined || ssh === null) return;
  const { type } = asFields(ssh, 'ssh_config');
  if (type === undefined || type === 'no_tunnel') return;
  throw invalid('ssh_config', 'ssh tunnels arrive later; only "no_tunnel" works');
}

function parseSsl(fields: Fields): SslConfig {
  const given = fields['ssl'];
  if (given === undefined || given === null) return { mode: 'disable' };
  const ssl = asFields(given, 'ssl');
  const mode = SSL_MODES.find((known) => known === (ssl['mode'] ?? 'disable'));
  if (!mode) throw invalid('ssl.mode', `must be one of ${SSL_MODES.join(', ')}`);
  const [serverCa, clientCert, clientKey] = ['server_ca', 'client_cert', 'client_key'].map((name) => pem(ssl, name));
  if (mode.startsWith('verify') && !serverCa) throw invalid('ssl.server_ca', `is needed for mode ${mode}`);
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw invalid('ssl.client_cert', 'and client_key are given together or not at all');
  }
  return { mode, serverCa, clientCert, clientKey };
}

function pem(ssl: Fields, name: string): string | undefined {
  const value = ssl[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || !value.includes('-----BEGIN ')) throw invalid(`ssl.${name}`, 'must be PEM text');
  return value;
}

function parseSchemas(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid('schemas', 'must be a list of names');
  return value.map((entry: unknown) => {
    if (typeof entry !== 'string' || entry.trim() === '') throw invalid('schemas', 'must not hold blank entries');
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
  if (type !== 'Standalone' && type !== 'CDC') throw invalid('update_method.type', 'must be "Standalone" or "CDC"');
  if (type === 'Standalone') return undefined;
  const name = (key: string): string => {
    const value = method[key];
    if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return value;
    throw invalid(`update_method.${key}`, 'is required to read changes');
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
    throw invalid('update_method.initial_wait_time', 'must be a whole number of seconds');
  }
  return seconds === 0 ? LONGEST_WAIT : Math.min(Math.max(seconds, LEAST_WAIT), LONGEST_WAIT);
}

function threads(value: unknown): number {
  if (value === undefined || value === null) return DEFAULT_THREADS;
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1) throw invalid('max_threads', 'must be a whole number of at least 1');
  return Math.min(count, MOST_THREADS);
}

function text(fields: Fields, name: string, options: { blank?: boolean } = {}): string {
  const value = fields[name];
  if (typeof value !== 'string' || (value.trim() === '' && !options.blank)) throw invalid(name, 'is required');
  if (value.includes('\0')) throw invalid(name, 'must not hold a NUL character');
  return value;
}

function port(fields: Fields, name: string): number {
  const value = Number(fields[name]);
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw invalid(name, 'must be between 1 and 65535');
  return value;
}

function asFields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(name, 'must be an object');
}

function invalid(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', `${field} ${reason}`, { details: [{ field, reason }] });
}
