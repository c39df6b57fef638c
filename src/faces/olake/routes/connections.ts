import { Type } from 'typebox';
import type { ConnectionKind } from '../../../sync/index.ts';
import { ConnectionBody } from '../contract.ts';
import { route, type FaceRooms, type Route } from '../route.ts';
import { Deleted, ref } from '../shapes/index.ts';
import { showConnection } from '../translate.ts';

/** Sources, or destinations: listing and writing them. */
export function connectionRoutes(rooms: FaceRooms, kind: ConnectionKind): Route[] {
  return [...readRoutes(rooms, kind), ...writeRoutes(rooms, kind)];
}

const shapeOf = (kind: ConnectionKind) => (kind === 'source' ? 'Source' : 'Destination');
const pathOf = (kind: ConnectionKind) => `/api/v1/project/:projectid/${kind}s`;

function readRoutes({ sync }: FaceRooms, kind: ConnectionKind): Route[] {
  const connections = kind === 'source' ? sync.sources : sync.destinations;
  const list = pathOf(kind);
  const one = `${list}/:id`;
  return [
    route({
      methods: ['GET'],
      paths: [list],
      role: 'viewer',
      summary: `List the ${kind}s`,
      data: Type.Array(ref(shapeOf(kind))),
      paged: true,
      async handle(call) {
        const form = call.form();
        const { items, total } = await connections.list(call.scope().project, call.paging());
        return { message: `${kind}s listed`, data: items.map((item) => showConnection(item, form)), total };
      },
    }),
    route({
      methods: ['GET'],
      paths: [one],
      role: 'viewer',
      summary: `Read a ${kind}`,
      data: ref(shapeOf(kind)),
      fails: [404],
      async handle(call) {
        const item = await connections.get(call.scope().project, call.id());
        return { message: `${kind} found`, data: showConnection(item, call.form()) };
      },
    }),
  ];
}

function writeRoutes({ sync }: FaceRooms, kind: ConnectionKind): Route[] {
  const connections = kind === 'source' ? sync.sources : sync.destinations;
  const one = `${pathOf(kind)}/:id`;
  return [
    route({
      methods: ['POST'],
      paths: [pathOf(kind)],
      role: 'editor',
      summary: `Create a ${kind}`,
      data: ref('ConnectionEcho'),
      fails: [409],
      body: ConnectionBody,
      async handle(call) {
        const id = await connections.create(call.scope(), call.body);
        return { message: `${kind} ${call.body.name} created successfully`, data: { ...call.sent, id } };
      },
    }),
    route({
      methods: ['PUT'],
      paths: [one],
      role: 'editor',
      summary: `Replace a ${kind}`,
      data: ref('ConnectionEcho'),
      fails: [404, 409],
      body: ConnectionBody,
      async handle(call) {
        const id = call.id();
        await connections.update(call.scope(), id, call.body);
        return { message: `${kind} ${call.body.name} updated successfully`, data: { ...call.sent, id } };
      },
    }),
    route({
      methods: ['DELETE'],
      paths: [one],
      role: 'editor',
      summary: `Delete a ${kind} that no job uses`,
      data: Deleted,
      fails: [404, 409],
      async handle(call) {
        const name = await connections.remove(call.scope(), call.id());
        return { message: `${kind} deleted successfully`, data: { name } };
      },
    }),
  ];
}
