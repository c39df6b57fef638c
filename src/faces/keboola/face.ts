import { createGuard, type Face } from '../../http/index.ts';
import { componentRoutes } from './components/routes.ts';
import { createErrorReply } from './errors.ts';
import { jobRoutes } from './jobs/routes.ts';
import { messageRoutes } from './messages/routes.ts';
import { orchestrationRoutes } from './orchestrations/routes.ts';
import { queueRoutes } from './queue/routes.ts';
import { addRoutes, type FaceContext, type KeboolaRooms, type Route } from './route.ts';
import { scheduleRoutes } from './schedules/routes.ts';
import { addStorageRoutes } from './storage/routes.ts';
import { answerCors, HEADERS, PREFIXES, rewriteUrl } from './transport.ts';

const MOST_BODY_BYTES = 1_048_576;

/** The Keboola orchestrator API over our rooms. Registering routes calls no room. */
export function createKeboolaFace(rooms: KeboolaRooms): Face {
  const face: FaceContext = { ...rooms, guard: createGuard(rooms) };
  return {
    name: 'keboola',
    title: 'Keboola orchestrator API',
    version: rooms.version,
    prefixes: PREFIXES,
    tokenHeader: 'X-StorageApi-Token',
    readsAnyTypeAsJson: true,
    mostBodyBytes: MOST_BODY_BYTES,
    headers: HEADERS,
    answerCors,
    rewriteUrl,
    async register(app) {
      addRoutes(app, routesOf(face), face);
      await addStorageRoutes(app, { face, mostBodyBytes: MOST_BODY_BYTES });
    },
    errorReply: createErrorReply(rooms.world),
  };
}

/** All routes but those of the storage subset; each part of the face adds a list of its own. */
function routesOf(face: FaceContext): readonly Route[] {
  return [
    ...orchestrationRoutes(face),
    ...jobRoutes(face),
    ...messageRoutes(face),
    ...scheduleRoutes(face),
    ...queueRoutes(face),
    ...componentRoutes(face),
  ];
}
