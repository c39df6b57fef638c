import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Access, Role } from '../../access/index.ts';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { requireRole, type Guard } from '../../http/index.ts';
import { checkProject } from '../../sync/index.ts';
import {
  formatExactJson,
  type Namespace,
  type PageQuery,
  type TableId,
  type Warehouse,
  type WarehouseScope,
} from '../../warehouse/index.ts';
import { exactBody } from './exact.ts';

/** What the face stands on. */
export interface IcebergRooms {
  readonly warehouse: Warehouse;
  readonly access: Pick<Access, 'authenticate'>;
  readonly config: Pick<Config, 'corsOrigins' | 'publicUrl' | 'host'>;
  /** Of this product. */
  readonly version: string;
}

export type FaceRooms = IcebergRooms & { readonly guard: Guard };

/** One request, with what routes ask of it. */
export interface Call<Body> {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Integers beyond 2^53 are bigints. */
  readonly body: Body;
  readonly scope: WarehouseScope;
  readonly project: string;
  namespace(): Namespace;
  table(): TableId;
  query(name: string): string | undefined;
  page(): PageQuery;
}

export interface Route<Body extends TSchema = TSchema> {
  readonly methods: readonly HTTPMethods[];
  /** Below `/iceberg/v1/{prefix}`. */
  readonly path: string;
  readonly role: Role;
  readonly summary: string;
  readonly body?: Body;
  /** Answers a body, or undefined for 204. */
  handle(call: Call<Static<Body>>): Promise<unknown>;
}

/** Keeps the type of the body while a route is written down. */
export function route<Body extends TSchema>(spec: Route<Body>): Route {
  return spec as unknown as Route;
}

/** Adds a route of a project's catalog, behind the guard. */
export function addRoute(app: FastifyInstance, spec: Route, guard: Guard): void {
  const { methods, path, role, summary, body } = spec;
  app.route({
    method: [...methods],
    url: `/iceberg/v1/:prefix${path}`,
    exposeHeadRoute: false,
    schema: { summary, tags: ['iceberg'], ...(body && { body }) },
    onRequest: [guard.authenticate, requireRole(role)],
    handler: async (request, reply) => {
      const answer = await spec.handle(callOf(request, reply));
      if (reply.sent) return reply;
      return answer === undefined ? reply.code(204).send() : sendExact(request, reply, answer);
    },
  });
}

/** The answer with every digit. A client that has it already is told so. */
function sendExact(request: FastifyRequest, reply: FastifyReply, answer: unknown): FastifyReply {
  const text = formatExactJson(answer);
  if (request.method === 'GET') {
    const tag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 32)}"`;
    reply.header('etag', tag);
    if (request.headers['if-none-match'] === tag) return reply.code(304).send();
  }
  return reply.type('application/json').send(text);
}

/** Separates the levels of a namespace in a path. */
const UNIT_SEPARATOR = '\u001f';

export function readLevels(text: string): Namespace {
  return text.split(UNIT_SEPARATOR);
}

function callOf(request: FastifyRequest, reply: FastifyReply): Call<never> {
  const param = (name: string): string => (request.params as Record<string, string>)[name] ?? '';
  const query = (name: string): string | undefined => {
    const value = (request.query as Record<string, string | string[] | undefined>)[name];
    if (Array.isArray(value)) throw new Failure('bad_request', `The query parameter ${name} is given twice.`);
    return value;
  };
  const project = param('prefix');
  checkProject(project);
  const namespace = (): Namespace => readLevels(param('namespace'));
  return {
    request,
    reply,
    query,
    project,
    namespace,
    body: exactBody(request.body) as never,
    scope: { project, actor: { principal: request.principal, face: 'iceberg', requestId: request.id } },
    table: () => ({ namespace: namespace(), name: param('table') }),
    page: () => pageOf(query),
  };
}

function pageOf(query: (name: string) => string | undefined): PageQuery {
  const [size, token] = [query('pageSize'), query('pageToken')];
  if (size !== undefined && !/^[1-9]\d{0,8}$/.test(size)) {
    throw new Failure('bad_request', 'The query parameter pageSize must be a whole number from 1 on.');
  }
  return { ...(size !== undefined && { size: Number(size) }), ...(token !== undefined && { token }) };
}

/** A yes or no of a query. */
export function readFlag(text: string | undefined, name: string): boolean {
  if (text === undefined || text === '' || /^false$/i.test(text)) return false;
  if (/^true$/i.test(text)) return true;
  throw new Failure('bad_request', `The query parameter ${name} must be true or false.`);
}
