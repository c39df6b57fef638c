import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';

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
 * Whether a browser sent this write from a page that is neither ours nor listed. Such a request may not use the cookie
 * that the browser adds by itself.
 */
export function isForeignWrite(request: FastifyRequest, config: Pick<Config, 'corsOrigins' | 'publicUrl'>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || request.method === 'GET' || request.method === 'HEAD') return false;
  if (config.corsOrigins.includes(origin)) return false;
  if (!URL.canParse(origin)) return true;
  const page = new URL(origin);
  return page.host !== host && (config.publicUrl === null || page.origin !== new URL(config.publicUrl).origin);
}
