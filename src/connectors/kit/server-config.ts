import { Failure } from '../../errors.ts';

// What the configurations of sources that are database servers have in common. A wrong value fails by its field.

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

export interface SslConfig {
  readonly mode: SslMode;
  readonly serverCa?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

export type Fields = Readonly<Record<string, unknown>>;

const SSL_MODES: readonly SslMode[] = ['disable', 'require', 'verify-ca', 'verify-full'];
const DEFAULT_THREADS = 3;
const MOST_THREADS = 64;

/** Tunnels come later: anything but `no_tunnel` fails, so that nobody believes in a tunnel that is not there. */
export function refuseTunnel(config: unknown): void {
  const ssh = asFields(config, 'config')['ssh_config'];
  if (ssh === undefined || ssh === null) return;
  const { type } = asFields(ssh, 'ssh_config');
  if (type === undefined || type === 'no_tunnel') return;
  throw invalidField('ssh_config', 'ssh tunnels arrive later; only "no_tunnel" works');
}

/** The value of `ssl`; none means no TLS. */
export function parseSsl(given: unknown): SslConfig {
  if (given === undefined || given === null) return { mode: 'disable' };
  const ssl = asFields(given, 'ssl');
  const mode = SSL_MODES.find((known) => known === (ssl['mode'] ?? 'disable'));
  if (!mode) throw invalidField('ssl.mode', `must be one of ${SSL_MODES.join(', ')}`);
  const [serverCa, clientCert, clientKey] = ['server_ca', 'client_cert', 'client_key'].map((name) => pem(ssl, name));
  if (mode.startsWith('verify') && !serverCa) throw invalidField('ssl.server_ca', `is needed for mode ${mode}`);
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw invalidField('ssl.client_cert', 'and client_key are given together or not at all');
  }
  return { mode, serverCa, clientCert, clientKey };
}

function pem(ssl: Fields, name: string): string | undefined {
  const value = ssl[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string' || !value.includes('-----BEGIN '))
    throw invalidField(`ssl.${name}`, 'must be PEM text');
  return value;
}

/** How many chunks are read at once. */
export function parseThreads(value: unknown): number {
  if (value === undefined || value === null) return DEFAULT_THREADS;
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1) throw invalidField('max_threads', 'must be a whole number of at least 1');
  return Math.min(count, MOST_THREADS);
}

/** A text that must be there; blank only where that means something. */
export function parseText(fields: Fields, name: string, options: { blank?: boolean } = {}): string {
  const value = fields[name];
  if (typeof value !== 'string' || (value.trim() === '' && !options.blank)) throw invalidField(name, 'is required');
  if (value.includes('\0')) throw invalidField(name, 'must not hold a NUL character');
  return value;
}

/** A host's name or address, without a scheme. */
export function parseHost(fields: Fields, name: string): string {
  const host = parseText(fields, name);
  if (!host.toLowerCase().includes('http')) return host;
  throw invalidField(name, 'must be a host name or an address, without "http"');
}

export function parsePort(value: unknown): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalidField('port', 'must be between 1 and 65535');
  return port;
}

export function asFields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalidField(name, 'must be an object');
}

/** A `configuration_invalid` failure that names the field. */
export function invalidField(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', `${field} ${reason}`, { details: [{ field, reason }] });
}
