import { createGuard, type Face } from '../../http/index.ts';
import { replyTo } from './errors.ts';
import { addRoute, type FaceRooms, type IcebergRooms } from './route.ts';
import { addEntryRoutes } from './routes/entry.ts';
import { namespaceRoutes } from './routes/namespaces.ts';
import { tableRoutes } from './routes/tables.ts';

/** The Iceberg REST catalog over the built-in catalogs: a project is a prefix. Registering routes calls no room. */
export function createIcebergFace(rooms: IcebergRooms): Face {
  const all: FaceRooms = { ...rooms, guard: createGuard(rooms) };
  const routes = [...namespaceRoutes(all), ...tableRoutes(all)];
  return {
    name: 'iceberg',
    title: 'Iceberg REST catalog',
    version: rooms.version,
    prefixes: ['/iceberg'],
    keepsNumbers: true,
    register(app) {
      addEntryRoutes(app, all, routes);
      for (const one of routes) addRoute(app, one, all.guard);
    },
    errorReply: replyTo,
  };
}
