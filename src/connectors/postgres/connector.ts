import { refuseTunnel, type ConnectorContext, type SourceConnector } from '../kit/index.ts';
import { checkConnection } from './check.ts';
import { parseConfig, type PostgresConfig } from './config.ts';
import { createSession } from './session.ts';
import { openSqlSession } from './sql.ts';
import { postgresSpec } from './spec.ts';

/** PostgreSQL 12 and newer as a source. */
export const connector: SourceConnector = {
  kind: 'source',
  type: 'postgres',
  synonyms: ['postgresql', 'pg'],
  title: 'PostgreSQL',
  version: '0.1.0',
  spec: () => postgresSpec,
  async check(config, context) {
    const parsed = parseConfig(config);
    refuseTunnel(config);
    checkSocket(parsed, context);
    await checkConnection(parsed, context);
  },
  async open(config, context) {
    const parsed = parseConfig(config);
    refuseTunnel(config);
    checkSocket(parsed, context);
    return createSession(parsed, context);
  },
  async openSql(config, context) {
    const parsed = parseConfig(config);
    refuseTunnel(config);
    checkSocket(parsed, context);
    return openSqlSession(parsed, context.signal);
  },
  databaseWord: (config) => parseConfig(config).database,
  datasetOf(config, { namespace, name }) {
    const { host, port, database } = parseConfig(config);
    return { namespace: `postgres://${host}:${port}`, name: `${database}.${namespace}.${name}` };
  },
};

/** A host that is a folder means the socket in it: that of the server's own database, say, must not be read. */
function checkSocket({ host, port }: PostgresConfig, context: ConnectorContext): void {
  if (host.startsWith('/')) context.allowPath?.(`${host}/.s.PGSQL.${port}`);
}
