import type { FastifyRequest } from 'fastify';
import type { CorsHook } from '../../http/index.ts';

/** The second place where everything but the storage subset is served, for clients with the address of old. */
const MOUNT = '/orchestrator';
const MOUNTED = ['/orchestrations', '/jobs', '/run', '/queue', '/components', '/docker'];

export const PREFIXES = [...MOUNTED, MOUNT, '/v2'];

/** On every answer, errors and preflights included (2.4). */
export const HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': '*',
  'access-control-allow-headers': '*',
  'access-control-expose-headers': 'X-Total-Count',
  'cache-control': 'private, no-cache, no-store, must-revalidate',
};

const PREFLIGHT = {
  'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers':
    'content-type, x-requested-with, x-requested-by, x-storageapi-url, x-storageapi-token, x-kbc-runid, x-user-agent, authorization, x-idempotency-key',
  'access-control-max-age': '86400',
};

/** Any page may ask anything here, with a token of its own: no answer lets it use the cookie of its visitor. */
export const answerCors: CorsHook = (request, reply) => {
  if (request.method !== 'OPTIONS') return false;
  void reply.code(200).headers(PREFLIGHT).send();
  return true;
};

/**
 * The URL by which the routes know what is asked for: repeated slashes are one, a slash at the end is none, and what is
 * served below `/orchestrator` is served here. Undefined for paths of others, which stay as they are.
 */
export function rewriteUrl(url: string): string | undefined {
  const { path, query } = split(url);
  const unmounted = path.slice(MOUNT.length);
  if (isBelow(path, MOUNT) && MOUNTED.some((prefix) => isBelow(unmounted, prefix))) return unmounted + query;
  return PREFIXES.some((prefix) => isBelow(path, prefix)) ? path + query : undefined;
}

/** What a client put before the paths of this face: `/orchestrator` or nothing. */
export function mountOf(request: Pick<FastifyRequest, 'originalUrl'>): string {
  return split(request.originalUrl).path.startsWith(`${MOUNT}/`) ? MOUNT : '';
}

function split(url: string): { readonly path: string; readonly query: string } {
  const at = url.indexOf('?');
  const path = (at < 0 ? url : url.slice(0, at)).replaceAll(/\/{2,}/g, '/');
  return { path: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path, query: at < 0 ? '' : url.slice(at) };
}

function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
