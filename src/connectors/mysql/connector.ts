import { refuseTunnel, type ConnectorContext, type SourceConnector } from '../kit/index.ts';
import { checkConnection } from './check.ts';
import { parseConfig, type MysqlConfig } from './config.ts';
import { createSession } from './session.ts';
import { mysqlSpec } from './spec.ts';

/**
 * MySQL 8 and MariaDB 10.6 and newer as a source. Loads go by the binary protocol, changes by the binary log.
 *
 * What a load sees: all readers of a session see one moment, and the log is read from exactly there, where MariaDB tells
 * the place of each snapshot or where writers may be locked out for an instant (right RELOAD). Otherwise the moments
 * differ by milliseconds, and the log is read from before the first of them: changes that a load holds already come
 * again, which tables with a key bear.
 *
 * A position names the place in a server's log, the server, and the GTIDs that were read. Another server that replicated the
 * first (MariaDB with log_slave_updates, MySQL with gtid_mode = ON) is read on from the GTIDs. Where they say that it lacks
 * something, or went another way, tables are loaded anew. Positions of earlier versions are places of whichever server answers.
 *
 * Not in the log, hence not followed: rows that the server deletes or changes by a cascading foreign key.
 */
export const connector: SourceConnector = {
  kind: 'source',
  type: 'mysql',
  synonyms: ['mariadb'],
  title: 'MySQL and MariaDB',
  version: '0.1.0',
  spec: () => mysqlSpec,
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
  databaseWord: (config) => parseConfig(config).database,
  datasetOf(config, { namespace, name }) {
    const { host, port } = parseConfig(config);
    return { namespace: `mysql://${host}:${port}`, name: `${namespace}.${name}` };
  },
};

/** A host that is a path means the socket there, which this server may not be allowed to use. */
function checkSocket({ host }: MysqlConfig, context: ConnectorContext): void {
  if (host.startsWith('/')) context.allowPath?.(host);
}
