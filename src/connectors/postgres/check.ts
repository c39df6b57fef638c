import { Failure } from '../../errors.ts';
import type { ConnectorContext } from '../kit/index.ts';
import { checkLog } from './changes/check.ts';
import type { PostgresConfig } from './config.ts';
import { connect } from './connect.ts';

const OLDEST_VERSION = 120_000;

/** Connects, asks for version and for the right to list tables, and closes. */
export async function checkConnection(config: PostgresConfig, context: ConnectorContext): Promise<void> {
  const info = (message: string): void => context.log({ level: 'info', message });
  info(`connecting to ${config.host}:${config.port}`);
  const connection = await connect(config, context.signal);
  const stop = (): void => void connection.abandon();
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    info(`connected to ${config.host}:${config.port} as ${config.username}`);
    const { serverVersion } = connection;
    info(`the server is PostgreSQL ${Math.floor(serverVersion / 10_000)}.${serverVersion % 10_000}`);
    if (serverVersion < OLDEST_VERSION) {
      throw new Failure('configuration_invalid', 'PostgreSQL 12 or newer is needed as a source');
    }
    const rows = await connection.query(
      `select count(*), count(*) filter (where has_any_column_privilege(c.oid, 'select'))
       from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
         and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
    );
    const [all, readable] = rows[0] ?? [];
    info(`${all} tables and views are listed, ${readable} of them may be read`);
    const { changes } = config;
    if (changes) {
      await checkLog(connection, { config, changes, log: context.log, streams: [], signal: context.signal });
      info(`the replication slot "${changes.slot}" and the publication "${changes.publication}" can be read`);
    }
  } finally {
    context.signal.removeEventListener('abort', stop);
    await connection.close();
  }
}
