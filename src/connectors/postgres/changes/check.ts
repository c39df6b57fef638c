import type { PostgresConfig } from '../config.ts';
import type { Connection } from '../connect.ts';
import { quoteName } from '../select.ts';
import { checkTables, findPublication, requirePublication } from './publication.ts';
import { createMissing, type LogCheck } from './setup.ts';
import { findSlot, requireSlot } from './slot.ts';
import { remedied } from './remedy.ts';

/**
 * Throws a failure that names what is missing to read the changes of these streams, with the statement that repairs it.
 * With `create_missing`, publication and slot are made first.
 */
export async function checkLog({ query, serverVersion }: Connection, check: LogCheck): Promise<void> {
  const { config, changes, log, streams } = check;
  const host = await readHost(query);
  requireLevel(host, config);
  requireReplicationRight(host, config);
  if (changes.createMissing && streams.length > 0) await createMissing(query, check);
  const isPromised = changes.createMissing && streams.length === 0;
  const publication = await findPublication(query, changes.publication);
  if (publication || !isPromised) {
    requirePublication(publication, changes.publication, streams);
  }
  const slot = await findSlot(query, changes.slot);
  if (slot || !isPromised) requireSlot(slot, changes.slot, config.database);
  if (host.isStandby && serverVersion < 160_000) {
    throw remedied(
      'configuration_invalid',
      'this server is a standby; before PostgreSQL 16 only a primary has slots',
      'Name the primary as host, or upgrade to PostgreSQL 16.',
    );
  }
  if (publication) await checkTables(query, publication, { streams, log });
  if (slot?.reader) {
    log({ level: 'info', message: `the replication slot "${slot.name}" is being read now, by process ${slot.reader}` });
  }
}

interface Host {
  readonly walLevel: string;
  readonly isStandby: boolean;
  readonly mayReplicate: boolean;
  /** The settings by which managed servers turn logical decoding on. */
  readonly ownSetting: string | null;
  readonly hasRdsRole: boolean;
}

async function readHost(query: Connection['query']): Promise<Host> {
  const rows = await query(
    `select pg_catalog.current_setting('wal_level'), pg_catalog.pg_is_in_recovery(),
       (select r.rolreplication or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user)
         or exists (select from pg_catalog.pg_roles r where r.rolname = 'rds_replication'
           and pg_catalog.pg_has_role(current_user, r.oid, 'member')),
       (select s.name from pg_catalog.pg_settings s
         where s.name in ('rds.logical_replication', 'cloudsql.logical_decoding', 'alloydb.logical_decoding') limit 1),
       exists (select from pg_catalog.pg_roles r where r.rolname = 'rds_replication')`,
  );
  const [walLevel, isStandby, mayReplicate, ownSetting, hasRdsRole] = rows[0] ?? [];
  return {
    walLevel: walLevel ?? '',
    isStandby: isStandby === 't',
    mayReplicate: mayReplicate === 't',
    ownSetting: ownSetting ?? null,
    hasRdsRole: hasRdsRole === 't',
  };
}

function requireLevel({ walLevel, ownSetting }: Host, { host, port }: PostgresConfig): void {
  if (walLevel === 'logical') return;
  const remedy =
    ownSetting === null
      ? 'Run: ALTER SYSTEM SET wal_level = logical; then restart the server.'
      : `Set ${ownSetting} to ${ownSetting.startsWith('rds.') ? '1' : 'on'} in the parameters of the server, then restart it.`;
  throw remedied(
    'configuration_invalid',
    `the log of ${host}:${port} has wal_level "${walLevel}"; "logical" is needed`,
    remedy,
  );
}

function requireReplicationRight({ mayReplicate, hasRdsRole }: Host, { username }: PostgresConfig): void {
  if (mayReplicate) return;
  const user = quoteName(username);
  throw remedied(
    'permission_missing',
    `the user "${username}" may not read the log: the right REPLICATION is missing`,
    hasRdsRole ? `Run: GRANT rds_replication TO ${user}` : `Run: ALTER ROLE ${user} REPLICATION`,
  );
}
