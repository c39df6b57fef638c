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

export interface MysqlConfig extends Place {
  readonly password: string;
  readonly ssl: SslConfig;
  readonly maxThreads: number;
  /** True when the configuration asks for change reading. */
  readonly wantsChanges: boolean;
  /** The number that we register as a replica by; a random one when absent. */
  readonly serverId?: number;
}

const DEFAULT_PORT = 3306;
const LARGEST_SERVER_ID = 4_294_967_295;

/** Reads a configuration; unknown keys are ignored, a wrong value is a `configuration_invalid` failure that names the field. */
export function parseConfig(config: unknown): MysqlConfig {
  const fields = asFields(config, 'config');
  return {
    host: parseHost(fields, 'hosts'),
    port: parsePort(fields['port'] ?? DEFAULT_PORT),
    database: parseText(fields, 'database'),
    username: parseText(fields, 'username'),
    password: parseText(fields, 'password', { blank: true }),
    ssl: parseSsl(fields['ssl'] ?? olderSsl(fields)),
    maxThreads: parseThreads(fields['max_threads']),
    ...parseUpdateMethod(fields),
  };
}

/** `tls_skip_verify` is the older word for TLS without a check of the certificate. */
function olderSsl(fields: Fields): Fields {
  return { mode: fields['tls_skip_verify'] === true ? 'require' : 'disable' };
}

/** The mere presence of a waiting time means change reading; `default_mode` is the older word for the choice. */
function parseUpdateMethod(fields: Fields): Pick<MysqlConfig, 'wantsChanges' | 'serverId'> {
  const given = fields['update_method'];
  if (given === undefined || given === null) return { wantsChanges: fields['default_mode'] === 'cdc' };
  const method = asFields(given, 'update_method');
  const { type } = method;
  if (type !== undefined && type !== 'CDC' && type !== 'Standalone') {
    throw invalidField('update_method.type', 'must be "Standalone" or "CDC"');
  }
  const waits = method['initial_wait_time'] ?? method['intial_wait_time'];
  const wantsChanges = type === 'CDC' || (type === undefined && waits !== undefined && waits !== null);
  const serverId = method['server_id'];
  if (serverId === undefined || serverId === null) return { wantsChanges };
  const number = Number(serverId);
  if (!Number.isInteger(number) || number < 1 || number > LARGEST_SERVER_ID) {
    throw invalidField('update_method.server_id', `must be a whole number from 1 to ${LARGEST_SERVER_ID}`);
  }
  return { wantsChanges, serverId: number };
}
