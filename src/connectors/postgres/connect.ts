import { connect as connectSocket, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Client, Query, type CustomTypesConfig, type QueryArrayConfig, type QueryArrayResult } from 'pg';
import type { Failure } from '../../errors.ts';
import { createTakenSocket, type SslConfig } from '../kit/index.ts';
import type { PostgresConfig } from './config.ts';
import { cancelledFailure, translateError } from './failures.ts';
import { cancelMessage } from './wire/messages.ts';

/** A row as the server prints it: text or null per column. */
export type TextRow = readonly (string | null)[];

/** One statement with parameters, its rows told as they come. */
export interface StreamedStatement {
  readonly text: string;
  readonly values: readonly (string | null)[];
  readonly row: (row: TextRow, columns: readonly ResultColumn[]) => void;
}

export interface ResultColumn {
  readonly name: string;
  /** Oid of its type. */
  readonly dataTypeID: number;
}

export interface StreamedEnd {
  /** The first word of the server's answer, e.g. `INSERT`. */
  readonly command: string;
  readonly rowCount: number;
  readonly answersRows: boolean;
}

/** One connection, authenticated, read-only by default, with fixed text forms. Used by one caller at a time. */
export interface Connection {
  readonly serverVersion: number;
  /** Runs one or more statements by the simple protocol; the rows of the last, each value as the server prints it. */
  query(sql: string): Promise<readonly TextRow[]>;
  /** Runs one statement by the extended protocol; its rows are not gathered. */
  stream(statement: StreamedStatement): Promise<StreamedEnd>;
  /** The socket below, for a caller that speaks the protocol itself while no `query` runs. */
  socket(): Socket;
  /** What broke the connection, once it is broken. */
  broken(): Failure | undefined;
  /**
   * Asks the server to end the running statement, even one that waits for a lock, and drops the connection at once. Answers
   * when the server has been asked, for those whose process ends then.
   */
  abandon(): Promise<void>;
  close(): Promise<void>;
}

const CONNECT_LIMIT = 10_000;

/** Text forms that the readers rely on, and limits of roles that must not end a long read. */
const SETTINGS = [
  'default_transaction_read_only = on',
  'standard_conforming_strings = on',
  "client_encoding = 'UTF8'",
  "timezone = 'UTC'",
  "datestyle = 'ISO, YMD'",
  "intervalstyle = 'postgres'",
  'extra_float_digits = 3',
  "bytea_output = 'hex'",
  'statement_timeout = 0',
  'lock_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
];

const asPrinted: CustomTypesConfig = { getTypeParser: () => (value: string | Buffer) => value };

interface PgInternals {
  readonly connection: { readonly stream: Socket };
  readonly processID: number | null;
  readonly secretKey: number | null;
}

/**
 * Connects and prepares the session. Failures: see `translateError`; an unanswered call fails after 10 s. With `replication` the
 * connection also takes the commands that stream the server's log.
 */
export async function connect(
  config: PostgresConfig,
  signal: AbortSignal,
  options: { readonly replication?: boolean } = {},
): Promise<Connection> {
  if (signal.aborted) throw cancelledFailure();
  const client = createClient(config, options.replication === true);
  const internals = client as unknown as PgInternals;
  let failure: Failure | undefined;
  client.on('error', (error) => {
    failure ??= translateError(error, config);
  });
  const drop = (): void => void internals.connection.stream.destroy();
  signal.addEventListener('abort', drop, { once: true });
  try {
    await client.connect();
    const query = async (sql: string): Promise<readonly TextRow[]> => {
      try {
        const result = await client.query<string[]>({ text: sql, rowMode: 'array', types: asPrinted });
        return lastRows(result);
      } catch (error) {
        // A message that ended the session says more than "the connection was closed".
        throw failure ?? translateError(error, config);
      }
    };
    const version = await query(`${SETTINGS.map((setting) => `set ${setting}`).join(';')};show server_version_num`);
    return {
      serverVersion: Number(version[0]?.[0]),
      query,
      stream: (statement) =>
        streamRows(client, statement).catch((error: unknown) => {
          throw failure ?? translateError(withLine(error, statement.text), config);
        }),
      socket: () => internals.connection.stream,
      broken: () => failure,
      abandon: () => abandon(config, internals),
      close: () => closeClient(client),
    };
  } catch (error) {
    drop();
    throw signal.aborted ? cancelledFailure() : translateError(error, config);
  } finally {
    signal.removeEventListener('abort', drop);
  }
}

function createClient(config: PostgresConfig, replication: boolean): Client {
  return new Client({
    // The driver passes it on to the server; its types do not know it.
    ...(replication ? { replication: 'database' } : {}),
    host: config.host,
    port: config.port,
    database: config.database,
    user: config.username,
    password: config.password,
    ssl: tlsOptions(config.ssl),
    application_name: 'penstock',
    connectionTimeoutMillis: CONNECT_LIMIT,
    keepAlive: true,
    stream: createTakenSocket,
  });
}

function tlsOptions(ssl: SslConfig): ConnectionOptions | false {
  if (ssl.mode === 'disable') return false;
  return {
    rejectUnauthorized: ssl.mode !== 'require',
    ca: ssl.serverCa,
    cert: ssl.clientCert,
    key: ssl.clientKey,
    // verify-ca accepts any name that the authority has signed.
    ...(ssl.mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}

function streamRows(client: Client, { text, values, row }: StreamedStatement): Promise<StreamedEnd> {
  return new Promise((resolve, reject) => {
    // The driver knows the protocol to use; its types do not.
    const settings = { text, values: [...values], rowMode: 'array', types: asPrinted, queryMode: 'extended' };
    const query = new Query<string[]>(settings as QueryArrayConfig);
    query.on('row', (cells: unknown, result?: QueryArrayResult) => row(cells as TextRow, result?.fields ?? []));
    query.on('error', reject);
    query.on('end', ({ command, rowCount, fields }: QueryArrayResult) =>
      resolve({ command: command ?? '', rowCount: rowCount ?? 0, answersRows: fields.length > 0 }),
    );
    client.query(query);
  });
}

/** The server tells the character at which it stumbled; people look for the line, where there is more than one. */
function withLine(error: unknown, text: string): unknown {
  const position = Number((error as { position?: string }).position);
  if (!(error instanceof Error) || !(position >= 1) || !text.includes('\n')) return error;
  // Counted in characters, not in units of UTF-16.
  const line = Array.from(text)
    .slice(0, position - 1)
    .reduce((lines, character) => (character === '\n' ? lines + 1 : lines), 1);
  error.message = `${error.message} in line ${line}`;
  return error;
}

/** Several statements answer a list of results; the driver's types know only the single one. */
function lastRows(result: unknown): readonly TextRow[] {
  const last = (Array.isArray(result) ? result.at(-1) : result) as { rows: TextRow[] };
  return last.rows;
}

async function closeClient(client: Client): Promise<void> {
  const { stream } = (client as unknown as PgInternals).connection;
  if (stream.destroyed) return;
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  client.end().catch(() => undefined);
  await closed;
}

function abandon(config: PostgresConfig, internals: PgInternals): Promise<void> {
  const { stream } = internals.connection;
  const isAsked =
    !stream.destroyed && internals.processID !== null && internals.secretKey !== null
      ? sendCancel(config, cancelMessage(internals.processID, internals.secretKey))
      : Promise.resolve();
  stream.destroy();
  return isAsked;
}

/** Never fails: if the server is gone there is nothing to cancel. */
function sendCancel(config: PostgresConfig, message: Buffer): Promise<void> {
  const target = config.host.startsWith('/')
    ? { path: `${config.host}/.s.PGSQL.${config.port}` }
    : { host: config.host, port: config.port };
  return new Promise((resolve) => {
    const socket = connectSocket(target, () => socket.end(message));
    socket.setTimeout(CONNECT_LIMIT, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve());
    socket.resume();
  });
}
