import { Failure } from '../../errors.ts';
import type { Place } from './failures.ts';

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

export interface MysqlConfig extends Place {
  readonly password: string;
  readonly ssl: SslConfig;
  readonly maxThreads: number;
  /** True when the configuration asks for change reading. */
  readonly wantsChanges: boolean;
  /** The number that we register as a replica by; a random one when absent. */
  readonly serverId?: number;
}

export interface SslConfig {
  readonly mode: SslMode;
  readonly serverCa?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

type Fields = Readonly<Record<string, unknown>>;

const SSL_MODES: readonly SslMode[] = ['disable', 'require', 'verify-ca', 'verify-full'];
const DEFAULT_PORT = 3306;
const DEFAULT_THREADS = 3;
const MOST_THREADS = 64;
const LARGEST_SERVER_ID = 4_294_967_295;

/** Reads a configuration; unknown keys are ignored, a wrong value is a `configuration_invalid` failure that names the field. */
export function parseConfig(config: unknown): MysqlConfig {
  const fields = asFields(config, 'config');
  const host = text(fields, 'hosts');
  if (host.toLowerCase().includes('http')) {
    throw invalid('hosts', 'must be a host name or an address, without "http"');
  }
  const method = parseUpdateMethod(fields);
  return {
    host,
    port: port(fields['port'] ?? DEFAULT_PORT),
    database: text(fields, 'database'),
    username: text(fields, 'username'),
    password: text(fields, 'password', { blank: true }),
    ssl: parseSsl(fields),
    maxThreads: threads(fields['max_threads']),
    ...method,
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

/** `tls_skip_verify` is the older word for TLS without a check of the certificate. */
function parseSsl(fields: Fields): SslConfig {
  const given = fields['ssl'];
  if (given === undefined || given === null) {
    return { mode: fields['tls_skip_verify'] === true ? 'require' : 'disable' };
  }
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

/** The mere presence of a waiting time means change reading; `default_mode` is the older word for the choice. */
function parseUpdateMethod(fields: Fields): Pick<MysqlConfig, 'wantsChanges' | 'serverId'> {
  const given = fields['update_method'];
  if (given === undefined || given === null) return { wantsChanges: fields['default_mode'] === 'cdc' };
  const method = asFields(given, 'update_method');
  const { type } = method;
  if (type !== undefined && type !== 'CDC' && type !== 'Standalone') {
    throw invalid('update_method.type', 'must be "Standalone" or "CDC"');
  }
  const waits = method['initial_wait_time'] ?? method['intial_wait_time'];
  const wantsChanges = type === 'CDC' || (type === undefined && waits !== undefined && waits !== null);
  const serverId = method['server_id'];
  if (serverId === undefined || serverId === null) return { wantsChanges };
  const number = Number(serverId);
  if (!Number.isInteger(number) || number < 1 || number > LARGEST_SERVER_ID) {
    throw invalid('update_method.server_id', `must be a whole number from 1 to ${LARGEST_SERVER_ID}`);
  }
  return { wantsChanges, serverId: number };
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

function port(value: unknown): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 65535) throw invalid('port', 'must be between 1 and 65535');
  return number;
}

function asFields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(name, 'must be an object');
}

function invalid(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', `${field} ${reason}`, { details: [{ field, reason }] });
}
