import type { Layout } from './layout.ts';
import type { EmbeddedOptions } from './types.ts';

/** Small memory, no processes that a control plane does not need, UTC everywhere. */
const MODEST: Readonly<Record<string, string>> = {
  shared_buffers: '32MB',
  max_connections: '100',
  jit: 'off',
  autovacuum_max_workers: '2',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'warning',
  logging_collector: 'off',
};

const NOT_DURABLE: Readonly<Record<string, string>> = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
};

export interface Address {
  readonly port: number;
  readonly overTcp: boolean;
}

/** The arguments of `postgres`: the caller's settings over ours, and those that the launcher itself relies on. */
export function serverArguments(options: EmbeddedOptions, layout: Layout, run: Address & { major: number }): string[] {
  const settings: Record<string, string> = {
    ...MODEST,
    // The I/O helper processes of PostgreSQL 18 cost memory and gain nothing at this size.
    ...(run.major >= 18 ? { io_method: 'sync' } : {}),
    ...(options.durable === false ? NOT_DURABLE : {}),
    ...options.settings,
    port: String(run.port),
    listen_addresses: run.overTcp ? '127.0.0.1' : '',
    unix_socket_directories: layout.socketDir ?? '',
    unix_socket_permissions: '0700',
  };
  if (layout.socketDir === null) delete settings['unix_socket_permissions'];
  const pairs = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', layout.clusterDir, ...pairs];
}

/** Local sessions are trusted because only the owner can enter the socket's folder; TCP needs the password. */
export const ACCESS_RULES = `# Written by Penstock.
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
`;

/** Names the locale provider where the version has it: one sort order on every system. */
export function initArguments(major: number, locale: 'builtin' | 'C.UTF-8' | 'C'): string[] {
  const fixed = ['--encoding=UTF8', '--data-checksums', '--wal-segsize=4', '--username=penstock', '--no-instructions'];
  const auth = [
    '--auth-host=scram-sha-256',
    process.platform === 'win32' ? '--auth-local=scram-sha-256' : '--auth-local=trust',
  ];
  if (locale === 'builtin' && major >= 17) {
    // One call instead of one for each of a thousand files.
    const sync = process.platform === 'linux' ? ['--sync-method=syncfs'] : [];
    return [...fixed, ...auth, ...sync, '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
  }
  return [...fixed, ...auth, `--locale=${locale === 'builtin' ? 'C.UTF-8' : locale}`];
}

/** Locales to try in turn: an older server needs one of the system, which may not have it. */
export function localesFor(major: number): readonly ('builtin' | 'C.UTF-8' | 'C')[] {
  return major >= 17 ? ['builtin'] : ['C.UTF-8', 'C'];
}
