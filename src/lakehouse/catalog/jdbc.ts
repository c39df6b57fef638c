import { readFile, stat } from 'node:fs/promises';
import { Failure, toFailure } from '../../errors.ts';
import { prepareJdbcLayout } from './layout.ts';
import type { CatalogPort } from './port.ts';
import type { SqlQuery, SqlResult } from './sql.ts';
import { createSqlCatalog } from './sql.ts';

export interface JdbcCatalogOptions {
  /** `jdbc:postgresql://host:port/database?…` or `jdbc:sqlite:/path/of/file.db`. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly catalogName: string;
  /** Throws when this server may not use a local file. */
  readonly allowPath: (path: string) => void;
}

/** A catalog that holds connections of its own. */
export interface OwnedCatalog {
  readonly catalog: CatalogPort;
  close(): Promise<void>;
}

interface Database {
  readonly query: SqlQuery;
  close(): Promise<void>;
}

/** Opens a JDBC catalog and makes its tables when they are missing. Drivers are loaded when they are first needed. */
export async function openJdbcCatalog(options: JdbcCatalogOptions): Promise<OwnedCatalog> {
  const database = await openDatabase(options);
  try {
    const { hasTypeColumn } = await prepareJdbcLayout(database.query);
    const catalog = createSqlCatalog({ query: database.query, catalogName: options.catalogName, hasTypeColumn });
    return { catalog, close: () => database.close() };
  } catch (error) {
    await database.close();
    throw catalogFailure(error);
  }
}

async function openDatabase(options: JdbcCatalogOptions): Promise<Database> {
  const { url } = options;
  if (url.startsWith('jdbc:postgresql:')) return openPostgres(options);
  if (url.startsWith('jdbc:sqlite:')) return openSqlite(options);
  const word = /^jdbc:([a-z0-9]+):/i.exec(url)?.[1];
  throw new Failure(
    'configuration_invalid',
    word ? `JDBC catalogs in "${word}" arrive later.` : 'The jdbc_url does not begin with "jdbc:".',
    {
      advice: 'Use jdbc:postgresql://host:port/database or jdbc:sqlite:/path.',
      details: [{ field: 'jdbc_url', reason: 'unknown' }],
    },
  );
}

async function openPostgres(options: JdbcCatalogOptions): Promise<Database> {
  const target = readPostgresUrl(options.url);
  const { parameters } = target;
  if (target.host.startsWith('/')) options.allowPath(`${target.host}/.s.PGSQL.${target.port}`);
  const { Pool } = (await import('pg')).default;
  const pool = new Pool({
    host: target.host,
    port: target.port,
    database: target.database,
    user: options.username ?? parameters.get('user') ?? undefined,
    password: options.password ?? parameters.get('password') ?? undefined,
    ssl: await readTls(parameters, options),
    max: 2,
    idleTimeoutMillis: 10_000,
    connectionTimeoutMillis: 15_000,
    options: searchPath(parameters.get('currentSchema')),
    application_name: 'penstock',
  });
  // Idle connections that break are replaced by the next query.
  pool.on('error', () => undefined);
  return {
    async query(text, values) {
      try {
        return (await pool.query(text, [...values])) as SqlResult;
      } catch (error) {
        throw isLayoutQuestion(error) ? error : catalogFailure(error);
      }
    },
    close: () => pool.end(),
  };
}

const isLayoutQuestion = (error: unknown): boolean =>
  ['42P01', '42703'].includes((error as { code?: string }).code ?? '');

function searchPath(schema: string | null): string | undefined {
  return schema && /^[\w,]+$/.test(schema) ? `-c search_path=${schema}` : undefined;
}

interface PostgresTarget {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly parameters: URLSearchParams;
}

function readPostgresUrl(url: string): PostgresTarget {
  const rest = url.slice('jdbc:'.length);
  // The short form without a host names a database of this machine.
  const full = rest.startsWith('postgresql://') ? rest : rest.replace('postgresql:', 'postgresql://localhost/');
  const parsed = URL.canParse(full) ? new URL(full) : undefined;
  if (!parsed) {
    throw new Failure('configuration_invalid', 'The jdbc_url is not of the form jdbc:postgresql://host:port/database.');
  }
  return {
    host: decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '') || 'localhost',
    port: Number(parsed.port || 5432),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    parameters: parsed.searchParams,
  };
}

async function readTls(
  parameters: URLSearchParams,
  { allowPath }: Pick<JdbcCatalogOptions, 'allowPath'>,
): Promise<false | { rejectUnauthorized: boolean; ca?: string }> {
  const wanted = parameters.get('ssl');
  const mode = parameters.get('sslmode') ?? (wanted === '' || wanted === 'true' ? 'verify-full' : 'disable');
  if (['disable', 'allow', 'prefer'].includes(mode)) return false;
  const rootCertificate = parameters.get('sslrootcert');
  const ca = rootCertificate ? await readCertificate(rootCertificate, allowPath) : undefined;
  return { rejectUnauthorized: mode !== 'require', ca };
}

const LARGEST_CERTIFICATE_BYTES = 1024 * 1024;

/** Only a file of a certificate's size that may be used: not a device without end, nor a secret of this server. */
async function readCertificate(path: string, allowPath: JdbcCatalogOptions['allowPath']): Promise<string> {
  const refused = (cause?: unknown): Failure =>
    new Failure('configuration_invalid', 'The file of "sslrootcert" in the jdbc_url is no certificate.', { cause });
  if (!path.startsWith('/')) throw refused();
  allowPath(path);
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > LARGEST_CERTIFICATE_BYTES) throw refused();
    const text = await readFile(path, 'utf8');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw refused();
    return text;
  } catch (error) {
    throw error instanceof Failure ? error : refused(error);
  }
}

async function openSqlite(options: JdbcCatalogOptions): Promise<Database> {
  const path = options.url
    .slice('jdbc:sqlite:'.length)
    .replace(/\?.*$/, '')
    .replace(/^file:(\/\/)?/, '');
  if (!path.startsWith('/')) {
    throw new Failure('configuration_invalid', 'The file of a jdbc:sqlite: catalog must be an absolute path.');
  }
  options.allowPath(path);
  const { DatabaseSync } = await import('node:sqlite');
  let database: InstanceType<typeof DatabaseSync>;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA busy_timeout = 10000');
  } catch (error) {
    throw new Failure('unreachable', `The SQLite file "${path}" cannot be opened.`, { cause: error });
  }
  return {
    query: async (text, values) => {
      const statement = database.prepare(text.replaceAll(/\$(\d)/g, '$p$1'));
      const named = Object.fromEntries(values.map((value, at) => [`p${at + 1}`, value]));
      if (/^\s*select/i.test(text)) return { rows: statement.all(named) as SqlResult['rows'], rowCount: null };
      return { rows: [], rowCount: Number(statement.run(named).changes) };
    },
    close: async () => database.close(),
  };
}

/** Failures of the catalog's database by what a person can do about them. */
function catalogFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
  const because = (kind: 'unreachable' | 'credentials_refused' | 'object_missing' | 'permission_missing'): Failure =>
    new Failure(kind, `The catalog database refused: ${message || code}.`, { cause: error });
  if (code.startsWith('28')) return because('credentials_refused');
  if (code === '3D000') return because('object_missing');
  if (code === '42501') return because('permission_missing');
  if (/^(08|57P|53)/.test(code) || /^E[A-Z]+$/.test(code) || /timeout|terminated/i.test(message))
    return because('unreachable');
  return toFailure(error);
}
