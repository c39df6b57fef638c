import { createGuard, type Face } from '../../http/index.ts';
import { addRoutes, isDescribed, type FaceRooms, type OlakeRooms } from './route.ts';
import { connectionRoutes } from './routes/connections.ts';
import { jobRoutes } from './routes/jobs.ts';
import { platformRoutes } from './routes/platform.ts';
import { projectRoutes } from './routes/project.ts';
import { runRoutes } from './routes/runs.ts';
import { tableRoutes } from './routes/tables.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { differenceRoute, stateRoutes } from './routes/state.ts';
import { discoverRoute, trialRoutes } from './routes/trials.ts';
import { userRoutes } from './routes/users.ts';
import { replyTo } from './translate.ts';

/** The OLake server API over our rooms. Registering routes calls no room. */
export function createOlakeFace(rooms: OlakeRooms): Face {
  const all: FaceRooms = { ...rooms, guard: createGuard(rooms) };
  const routes = [
    ...sessionRoutes(all),
    ...userRoutes(all),
    ...connectionRoutes(all, 'source'),
    ...connectionRoutes(all, 'destination'),
    ...trialRoutes(all, 'source'),
    ...trialRoutes(all, 'destination'),
    discoverRoute(all),
    ...jobRoutes(all),
    ...runRoutes(all),
    ...tableRoutes(all),
    differenceRoute(all),
    ...stateRoutes(all),
    ...projectRoutes(all),
    ...platformRoutes(all),
  ];
  return {
    name: 'olake',
    title: 'OLake server API',
    version: rooms.version,
    prefixes: ['/login', '/signup', '/logout', '/auth', '/telemetry-id', '/api', '/internal'],
    readsAnyTypeAsJson: true,
    keepsNumbers: true,
    async register(app) {
      // Loaded for the document only: a running server starts without them.
      if (isDescribed(app)) for (const shape of (await import('./shapes/all.ts')).shapes) app.addSchema(shape);
      addRoutes(app, routes, all.guard);
    },
    errorReply: replyTo,
  };
}
