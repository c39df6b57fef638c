import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Config } from '../config.ts';
import { createLog } from './log.ts';

export interface Observe {
  readonly log: Logger;
  /** Everything that `/metrics` shows; rooms add their own metrics to it. */
  readonly registry: Registry;
  /** Counts a finished request under its route template, never under its path. */
  countRequest(request: FastifyRequest, reply: FastifyReply): void;
}

/** Logs and metrics of this process. */
export function createObserve(config: Pick<Config, 'logLevel'>, output?: NodeJS.WriteStream): Observe {
  const log = createLog(config, output);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const seconds = new Histogram({
    name: 'penstock_http_request_seconds',
    help: 'Time to answer a request, by route template.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  return {
    log,
    registry,
    countRequest(request, reply) {
      const route = request.routeOptions.url ?? 'none';
      seconds.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
      if (reply.statusCode >= 500 || log.isLevelEnabled('debug')) sayRequest(log, request, reply);
    },
  };
}

function sayRequest(log: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const facts = { requestId: request.id, method: request.method, url: request.url.split('?', 1)[0] };
  const level = reply.statusCode >= 500 ? 'warn' : 'debug';
  log[level]({ ...facts, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
}
