import type { Socket } from 'node:net';
import { createConnection, type Connection as Driver, type SslOptions } from 'mysql2';
import type { Failure } from '../../errors.ts';
import { createTakenSocket, type SslConfig } from '../kit/index.ts';
import type { MysqlConfig } from './config.ts';
import { cancelledFailure, translateError } from './failures.ts';

/** A row as the server prints it: text or null per column. */
export type TextRow = readonly (string | null)[];

/** Which server it is; `version` is 100_006 for MariaDB 10.6 and 80_000 for MySQL 8.0. */
export interface ServerVersion {
  readonly flavor: 'mariadb' | 'mysql';
  readonly version: number;
  readonly text: string;
}

/** One connection, authenticated, with fixed text forms. Used by one caller at a time. */
export interface Connection {
  readonly server: ServerVersion;
  /** Runs one statement by the text protocol; each value as the server prints it, binary ones as Latin-1. */
  query(sql: string): Promise<readonly TextRow[]>;
  /** The socket below (plain or TLS), for a caller that speaks the protocol itself while no `query` runs. */
  socket(): Socket;
  /** Open while someone speaks the protocol on the socket: the connection can then serve nobody else. */
  readonly exchange: { isOpen: boolean };
  /** What broke the connection, once it is broken. */
  broken(): Failure | undefined;
  /** Asks the server to end the running statement, even one that waits for a lock, then drops the connection. */
  abandon(): void;
  close(): Promise<void>;
}

const CONNECT_LIMIT = 10_000;
/** `utf8mb4_general_ci`; both servers know it. */
const CHARSET = 'UTF8MB4_GENERAL_CI';
/**
 * No statement of ours may find or ignore anything by itself, no file of this machine may be asked for, and the answers
 * have their plain form.
 */
const FLAGS = ['-FOUND_ROWS', '-IGNORE_SPACE', '-LOCAL_FILES', '-ODBC', '-SESSION_TRACK', '-CLIENT_QUERY_ATTRIBUTES'];

/** Text forms that the readers rely on, and limits that must not end a long read. */
const SETTINGS = [
  "time_zone = '+00:00'",
  // A backslash in a literal is an ordinary character; nothing else differs from the standard of the server.
  "sql_mode = 'NO_BACKSLASH_ESCAPES'",
  'net_write_timeout = 86400',
  'net_read_timeout = 3600',
  'wait_timeout = 86400',
  'sql_select_limit = default',
  'sql_auto_is_null = 0',
  'autocommit = 1',
];

/** MySQL remembers sizes of tables for a day unless told not to. */
const SETTINGS_OF = {
  mariadb: ['max_statement_time = 0'],
  mysql: ['max_execution_time = 0', 'information_schema_stats_expiry = 0'],
} as const;

interface DriverInternals {
  readonly stream: Socket;
  readonly threadId: number | null;
}

/** Connects and prepares the session. Failures: see `translateError`; an unanswered call fails after 10 s. */
export async function connect(config: MysqlConfig, signal: AbortSignal): Promise<Connection> {
  if (signal.aborted) throw cancelledFailure();
  const driver = createDriver(config);
  const internals = driver as unknown as DriverInternals;
  let failure: Failure | undefined;
  driver.on('error', (error) => {
    failure ??= translateError(error, config);
  });
  const drop = (): void => void internals.stream.destroy();
  signal.addEventListener('abort', drop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => driver.connect((error) => (error ? reject(error) : resolve())));
    internals.stream.once('close', () => {
      failure ??= translateError({ code: 'PROTOCOL_CONNECTION_LOST' }, config);
    });
    const query = (sql: string): Promise<readonly TextRow[]> => runQuery(driver, sql, config);
    await query(`set ${SETTINGS.map((setting) => `session ${setting}`).join(', ')}`);
    await query('set names utf8mb4');
    const server = parseVersion((await query('select version()'))[0]?.[0] ?? '');
    for (const setting of SETTINGS_OF[server.flavor]) await query(`set session ${setting}`);
    await query('set session transaction isolation level repeatable read, read only');
    return {
      server,
      query,
      socket: () => internals.stream,
      exchange: { isOpen: false },
      broken: () => failure,
      abandon: () => abandon(config, internals),
      close: () => closeDriver(driver, internals),
    };
  } catch (error) {
    drop();
    throw signal.aborted ? cancelledFailure() : translateError(error, config);
  } finally {
    signal.removeEventListener('abort', drop);
  }
}

function createDriver(config: MysqlConfig): Driver {
  return createConnection({
    // Beside the socket, since TLS asks for the name of the host.
    ...(isPath(config.host) ? { socketPath: config.host } : { host: config.host, port: config.port }),
    stream: () => openSocket(config),
    database: config.database,
    user: config.username,
    password: config.password,
    ssl: tlsOptions(config.ssl),
    connectTimeout: CONNECT_LIMIT,
    charset: CHARSET,
    flags: FLAGS,
    connectAttributes: { program_name: 'penstock' },
    multipleStatements: false,
  });
}

const isPath = (host: string): boolean => host.startsWith('/');

function openSocket({ host, port }: MysqlConfig): Socket {
  const socket = createTakenSocket();
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return isPath(host) ? socket.connect(host) : socket.connect(port, host);
}

function tlsOptions(ssl: SslConfig): SslOptions | undefined {
  if (ssl.mode === 'disable') return undefined;
  return {
    rejectUnauthorized: ssl.mode !== 'require',
    // verify-ca accepts any name that the authority has signed.
    verifyIdentity: ssl.mode === 'verify-full',
    ca: ssl.serverCa,
    cert: ssl.clientCert,
    key: ssl.clientKey,
  };
}

function runQuery(driver: Driver, sql: string, config: MysqlConfig): Promise<readonly TextRow[]> {
  return new Promise((resolve, reject) => {
    driver.query({ sql, rowsAsArray: true, typeCast: readText }, (error, rows) => {
      if (error) reject(translateError(error, config));
      else resolve(Array.isArray(rows) ? (rows as unknown as TextRow[]) : []);
    });
  });
}

interface DriverField {
  readonly charsetNr?: number;
  string(encoding?: string): string | null;
  buffer(): Buffer | null;
}

const readText = (field: unknown): string | null => (field as DriverField).string('utf8');

/** `10.11.19-MariaDB-log`, `5.5.5-10.6.12-MariaDB`, `8.0.36`. */
export function parseVersion(text: string): ServerVersion {
  const flavor = /mariadb/i.test(text) ? 'mariadb' : 'mysql';
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text.replace(/^5\.5\.5-/, '')) ?? [];
  return { flavor, version: Number(major) * 10_000 + Number(minor), text };
}

async function closeDriver(driver: Driver, { stream }: DriverInternals): Promise<void> {
  if (stream.destroyed) return;
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  driver.end(() => stream.destroy());
  await closed;
}

function abandon(config: MysqlConfig, { stream, threadId }: DriverInternals): void {
  if (!stream.destroyed && threadId !== null) endOnServer(config, threadId);
  stream.destroy();
}

/** Fire and forget: if the server is gone there is nothing to end. A user may always end its own connections. */
function endOnServer(config: MysqlConfig, threadId: number): void {
  const driver = createDriver(config);
  driver.on('error', () => undefined);
  driver.query(`kill ${threadId}`, () => driver.end(() => undefined));
}
