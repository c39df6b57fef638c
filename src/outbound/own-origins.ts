import type { Config } from '../config.ts';

/**
 * The origins under which tasks may name this server (10.2): its public one, and where it listens, also by the usual
 * names of this machine. `port` is the one that it listens on; undefined while it listens on none.
 */
export function listOwnOrigins(
  config: Pick<Config, 'publicUrl' | 'host'>,
  port: number | undefined,
): readonly string[] {
  const hosts = new Set([config.host, '127.0.0.1', 'localhost', '::1']);
  const listening = port === undefined ? [] : [...hosts].map((host) => originOf(host, port));
  return [...(config.publicUrl === null ? [] : [new URL(config.publicUrl).origin]), ...listening];
}

function originOf(host: string, port: number): string {
  return new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}`).origin;
}
