import { Failure } from '../../errors.ts';
import type { ConnectorContext } from '../kit/index.ts';
import { checkLogSettings } from './changes/index.ts';
import { isReadable } from './discover.ts';
import { readRelations } from './catalog.ts';
import type { MysqlConfig } from './config.ts';
import { connect } from './connect.ts';
import { describePlace } from './failures.ts';

const OLDEST = { mariadb: 100_006, mysql: 80_000 } as const;

/** Connects, asks for version, for readable tables and, when changes are to be read, for the log; and closes. */
export async function checkConnection(config: MysqlConfig, context: ConnectorContext): Promise<void> {
  const info = (message: string): void => context.log({ level: 'info', message });
  info(`connecting to ${describePlace(config)}`);
  const connection = await connect(config, context.signal);
  const stop = (): void => connection.abandon();
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    info(`connected to ${describePlace(config)} as ${config.username}`);
    const { flavor, version, text } = connection.server;
    info(`the server is ${flavor === 'mariadb' ? 'MariaDB' : 'MySQL'} ${text}`);
    if (version < OLDEST[flavor]) {
      throw new Failure('configuration_invalid', 'MySQL 8.0 or MariaDB 10.6, or a newer one, is needed as a source');
    }
    const relations = await readRelations(connection.query, config.database);
    info(`${relations.length} tables and views are listed, ${relations.filter(isReadable).length} of them may be read`);
    if (config.wantsChanges) {
      await checkLogSettings(connection, context.log);
      info('the binary log holds what is needed to read changes');
    }
  } finally {
    context.signal.removeEventListener('abort', stop);
    await connection.close();
  }
}
