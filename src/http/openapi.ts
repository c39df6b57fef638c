import { fastify } from 'fastify';
import { SESSION_COOKIE } from './guard.ts';
import type { Face } from './types.ts';

/** The OpenAPI 3.1 document of a face, made from the schemas of its routes. Calls no handler and needs no database. */
export async function describeFace(face: Face): Promise<Record<string, unknown>> {
  const app = fastify({ exposeHeadRoutes: false });
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest('principal', null);
  // Loaded here only: a running server serves the committed documents.
  const { fastifySwagger } = await import('@fastify/swagger');
  await app.register(fastifySwagger, {
    // Shapes keep their names as components of the document.
    refResolver: { buildLocalReference: (shape) => String(shape['$id']) },
    openapi: {
      openapi: '3.1.0',
      info: { title: face.title, version: face.version },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          ...(face.tokenHeader && { header: { type: 'apiKey', in: 'header', name: face.tokenHeader } }),
          session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE },
        },
      },
      security: [{ token: [] }, ...(face.tokenHeader ? [{ header: [] }] : []), { session: [] }],
    },
  });
  await app.register(async (scope) => {
    await face.register(scope);
  });
  await app.ready();
  const document = app.swagger() as unknown as Record<string, unknown>;
  await app.close();
  return document;
}
