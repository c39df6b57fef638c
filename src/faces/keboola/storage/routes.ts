import type { FastifyInstance } from 'fastify';
import { addFormParser } from '../../../http/index.ts';
import { addRoutes, type FaceContext } from '../route.ts';
import { indexRoute } from './entry.ts';
import { tokenRoutes } from './tokens.ts';

/** The part of the storage API that clients of the orchestrator use (section 12). Only here bodies may be forms. */
export async function addStorageRoutes(
  app: FastifyInstance,
  { face, mostBodyBytes }: { readonly face: FaceContext; readonly mostBodyBytes: number },
): Promise<void> {
  await app.register(async (scope) => {
    addFormParser(scope, mostBodyBytes);
    addRoutes(scope, [indexRoute(face), ...tokenRoutes(face)], face);
  });
}
