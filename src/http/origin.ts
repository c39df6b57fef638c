import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback, type Config } from '../config.ts';

const METHODS = 'GET, POST, PUT, PATCH, DELETE, OPTIONS';
const HEADERS = 'Origin, Content-Type, Accept, Authorization, X-StorageApi-Token, Auth-Token';

/** Answers the browser's question before a request from another site; true when the reply is on its way. */
export type CorsHook = (request: FastifyRequest, reply: FastifyReply) => boolean;

/**
 * Lets pages of the given origins, and no others, call the API with credentials. Listed origins get the headers on every
 * answer, errors included; a preflight is answered 204 before anything else looks at it.
 */
export function corsHooks(origins: readonly string[]): CorsHook {
  const allowed = new Set(origins);
  return (request, reply) => {
    const { origin } = request.headers;
    if (origin === undefined) return false;
    const isAllowed = allowed.has(origin);
    if (isAllowed) {
      reply.header('access-control-allow-origin', origin);
      reply.header('access-control-allow-credentials', 'true');
      reply.header('access-control-expose-headers', 'X-Total-Count, X-Request-Id, Content-Disposition');
      reply.header('vary', 'Origin');
    }
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
    if (isAllowed) {
      reply.header('access-control-allow-methods', METHODS);
      reply.header('access-control-allow-headers', HEADERS);
      reply.header('access-control-max-age', '86400');
    }
    void reply.code(204).send();
    return true;
  };
}

/**
 * Whether a browser sent this request from a page that is neither ours nor listed. Such a request may not use the cookie
 * that the browser adds by itself. Reading is no danger: the page does not get to see the answer.
 */
export function isForeignWrite(request: FastifyRequest, config: OwnAddress): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD' && isFromForeignPage(request, config);
}

type OwnAddress = Pick<Config, 'corsOrigins' | 'publicUrl' | 'host'>;

/**
 * Whether a page of another site caused this request, whatever its method: for a GET that does something. Programs that
 * are no browsers name no origin and are never foreign.
 */
export function isFromForeignPage({ headers }: FastifyRequest, config: OwnAddress): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (origin === undefined) return site === 'cross-site' || site === 'same-site';
  if (config.corsOrigins.includes(origin)) return false;
  if (!URL.canParse(origin)) return true;
  const page = new URL(origin);
  if (config.publicUrl !== null && page.origin === new URL(config.publicUrl).origin) return false;
  return page.host !== host || !isOwnName(page.hostname, config);
}

/**
 * Whether the name may be one of this server. A server of this machine only is never reached by another name than an
 * address or `localhost`, unless a page has made its own name point here (DNS rebinding).
 */
export function isOwnName(hostname: string, config: Pick<Config, 'host' | 'publicUrl'>): boolean {
  if (!isLoopback(config.host)) return true;
  if (config.publicUrl !== null && new URL(config.publicUrl).hostname === hostname) return true;
  const bare = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return isIP(bare) !== 0 || bare === 'localhost' || bare.endsWith('.localhost') || bare === config.host;
}
