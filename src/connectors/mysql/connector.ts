import type { ConnectorContext, SourceConnector } from '../kit/index.ts';
import { checkConnection } from './check.ts';
import { parseConfig, refuseTunnel, type MysqlConfig } from './config.ts';
import { createSession } from './session.ts';
import { mysqlSpec } from './spec.ts';

/** MySQL 8 and MariaDB 10.6 and newer as a source. */
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
};

/** A host that is a path means the socket there, which this server may not be allowed to use. */
function checkSocket({ host }: MysqlConfig, context: ConnectorContext): void {
  if (host.startsWith('/')) context.allowPath?.(host);
}
