import type { FastifyInstance } from 'fastify';
import { addFormParser } from '../../../http/index.ts';
import { addRoutes, type FaceContext } from '../route.ts';

const MOST_BODY_BYTES = 1_048_576;

/** The part of the storage API that clients of the orchestrator use (section 12). Only here bodies may be forms. */
export async function addStorageRoutes(app: FastifyInstance, face: FaceContext): Promise<void> {
  await app.register(async (scope) => {
    addFormParser(scope, MOST_BODY_BYTES);
    addRoutes(scope, [], face);
  });
}
