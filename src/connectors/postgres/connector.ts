import type { SourceConnector } from '../kit/index.ts';
import { checkConnection } from './check.ts';
import { parseConfig, refuseTunnel } from './config.ts';
import { createSession } from './session.ts';
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
    await checkConnection(parsed, context);
  },
  async open(config, context) {
    const parsed = parseConfig(config);
    refuseTunnel(config);
    return createSession(parsed, context);
  },
  databaseWord: (config) => parseConfig(config).database,
};
