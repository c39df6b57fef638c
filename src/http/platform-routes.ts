import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { Failure } from '../errors.ts';
import { isFromLoopback } from './address.ts';
import type { Guard } from './guard.ts';
import { isOwnName } from './origin.ts';
import type { ServerOptions } from './options.ts';
import { WELCOME_POLICY, welcomePage } from './welcome.ts';

const DOCUMENTS = new URL('../../openapi/', import.meta.url);

/** What belongs to no face: liveness, readiness, metrics and the documents of the faces. */
export function addPlatformRoutes(app: FastifyInstance, options: ServerOptions & { readonly guard: Guard }): void {
  const { faces, guard, observe, checkReady, moreMetrics } = options;
  const welcome = welcomePage(faces);
  app.get('/', async (_request, reply) =>
    reply.header('content-security-policy', WELCOME_POLICY).type('text/html; charset=utf-8').send(welcome),
  );
  app.get('/health', async () => ({ status: 'ok' }));
  app.get('/ready', async () => {
    try {
      await checkReady?.();
    } catch (error) {
      throw new Failure('unreachable', 'The server cannot do its work now.', { cause: error });
    }
    return { status: 'ready' };
  });
  app.get('/metrics', async (request, reply) => {
    if (!isFromLoopback(request) || !isOwnName(request.hostname, options.config)) await guard.authenticate(request);
    const [ours, more] = await Promise.all([observe.registry.metrics(), moreMetrics?.() ?? '']);
    return reply.type(observe.registry.contentType).send(`${ours}${more}`);
  });
  app.get<{ Params: { document: string } }>('/openapi/:document', async ({ params }, reply) => {
    const face = faces.find(({ name }) => params.document === `${name}.json`);
    const text = face && (await readFile(new URL(`${face.name}.json`, DOCUMENTS)).catch(() => undefined));
    if (text === undefined) throw new Failure('not_found', 'There is no such document.');
    return reply.type('application/json').send(text);
  });
}
