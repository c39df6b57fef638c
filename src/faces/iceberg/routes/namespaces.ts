import { NamespaceBody, PropertiesBody } from '../contract.ts';
import { readLevels, route, type FaceRooms, type Route } from '../route.ts';

/** Namespaces of a project's catalog. */
export function namespaceRoutes({ warehouse }: FaceRooms): Route[] {
  return [
    route({
      methods: ['GET'],
      path: '/namespaces',
      role: 'viewer',
      summary: 'Namespaces of one level, below `parent` if given',
      async handle({ project, query, page }) {
        const parent = query('parent');
        const asked = { ...page(), ...(parent !== undefined && parent !== '' && { parent: readLevels(parent) }) };
        const { items, next } = await warehouse.listNamespaces(project, asked);
        return { 'next-page-token': next ?? null, namespaces: items };
      },
    }),
    route({
      methods: ['POST'],
      path: '/namespaces',
      role: 'editor',
      summary: 'Create a namespace',
      body: NamespaceBody,
      async handle({ scope, body: { namespace, properties } }) {
        return { namespace, properties: await warehouse.createNamespace(scope, namespace, properties) };
      },
    }),
    route({
      methods: ['GET'],
      path: '/namespaces/:namespace',
      role: 'viewer',
      summary: 'Properties of a namespace',
      async handle({ project, namespace }) {
        return { namespace: namespace(), properties: await warehouse.loadNamespace(project, namespace()) };
      },
    }),
    route({
      methods: ['HEAD'],
      path: '/namespaces/:namespace',
      role: 'viewer',
      summary: 'Whether a namespace exists',
      async handle({ project, namespace }) {
        await warehouse.loadNamespace(project, namespace());
      },
    }),
    route({
      methods: ['DELETE'],
      path: '/namespaces/:namespace',
      role: 'editor',
      summary: 'Drop an empty namespace',
      handle: ({ scope, namespace }) => warehouse.dropNamespace(scope, namespace()),
    }),
    route({
      methods: ['POST'],
      path: '/namespaces/:namespace/properties',
      role: 'editor',
      summary: 'Set and remove properties of a namespace',
      body: PropertiesBody,
      handle: ({ scope, namespace, body: { updates, removals } }) =>
        warehouse.changeNamespace(scope, namespace(), { updates, removals }),
    }),
  ];
}
