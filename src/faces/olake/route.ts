import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Access, Actor, Principal, Role } from '../../access/index.ts';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { requireRole, type Guard } from '../../http/index.ts';
import { checkProject, type JsonForm, type Paging, type Scope, type Sync } from '../../sync/index.ts';
import type { World } from '../../world.ts';
import { answersOf, type Failing } from './shapes/index.ts';

/** What the face stands on. */
export interface OlakeRooms {
  readonly sync: Sync;
  readonly access: Access;
  readonly config: Pick<Config, 'corsOrigins' | 'publicUrl' | 'host' | 'httpMaxBodyBytes'>;
  readonly world: World;
  /** Of this product. */
  readonly version: string;
}

export type FaceRooms = OlakeRooms & { readonly guard: Guard };

/** One request, with what routes ask of it. */
export interface Call<Body> {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly body: Body;
  /** The body as it came: what a write echoes. */
  readonly sent: Record<string, unknown>;
  /** Path parameter as text. */
  param(name: string): string;
  /** Path parameter that has to be a positive integer. */
  id(name?: string): number;
  /** Query parameter; `bad_request` when given twice. */
  query(name: string): string | undefined;
  paging(): Paging;
  form(): JsonForm | undefined;
  principal(): Principal;
  /** Who asks, for the audit; nobody on open routes. */
  actor(): Actor;
  /** The project of the path, with who asks. */
  scope(): Scope;
}

export interface Answer {
  readonly message: string;
  readonly data: unknown;
  /** Of a list, before paging. */
  readonly total?: number;
}

export interface Route<Body extends TSchema = TSchema> {
  readonly methods: readonly HTTPMethods[];
  readonly paths: readonly string[];
  /** Least role; `open` routes need no credential. */
  readonly role: Role | 'open';
  readonly summary: string;
  readonly body?: Body;
  /** Shape of the answer's `data`, for the document only; `file` for a download instead of the envelope. */
  readonly data: TSchema | 'file';
  /** Statuses of failures that do not follow from the kind of the route. */
  readonly fails?: readonly Failing[];
  /** It answers a page of a list. */
  readonly paged?: true;
  /** It does something even by GET: no page of another site may cause it. */
  readonly acts?: true;
  /** Fields may come in the query when there is no body. */
  readonly bodyOrQuery?: true;
  /** Answers, or sends a reply of its own and answers nothing. */
  handle(call: Call<Static<Body>>): Promise<Answer | undefined>;
}

/** Keeps the type of the body while a route is written down. */
export function route<Body extends TSchema>(spec: Route<Body>): Route {
  return spec as unknown as Route;
}

/** Adds routes, each under all its paths and methods, behind the guard. */
export function addRoutes(app: FastifyInstance, routes: readonly Route[], guard: Guard): void {
  for (const spec of routes) for (const path of spec.paths) addRoute(app, { spec, path, guard });
}

/**
 * Whether the document is being made. A running server gets no shapes of answers: it would compile them at its start,
 * and a scope with schemas of its own falls back to the framework's compilers, which hide fields that no shape names.
 */
export function isDescribed(app: FastifyInstance): boolean {
  return app.hasDecorator('swagger');
}

function addRoute(
  app: FastifyInstance,
  { spec, path, guard }: { readonly spec: Route; readonly path: string; readonly guard: Guard },
): void {
  const { role, body, summary, bodyOrQuery } = spec;
  app.route({
    method: [...spec.methods],
    url: path,
    exposeHeadRoute: false,
    config: bodyOrQuery ? { body: 'optional' } : {},
    schema: {
      summary,
      tags: ['olake'],
      ...(role === 'open' && { security: [] }),
      ...(body && { body }),
      ...(isDescribed(app) && { response: answersOf(spec) }),
    },
    ...(role === 'open' && { bodyLimit: OPEN_BODY_BYTES }),
    onRequest: hooksOf(spec, guard),
    ...(bodyOrQuery && { preValidation: fillFromQuery }),
    handler: async (request, reply) => {
      const answer = await spec.handle(callOf(request, reply));
      if (answer === undefined) return reply;
      if (answer.total !== undefined) reply.header('x-total-count', String(answer.total));
      return { success: true, message: answer.message, data: answer.data };
    },
  });
}

/** Of routes that anybody may call: nobody makes this server read and parse megabytes before it knows who asks. */
const OPEN_BODY_BYTES = 65_536;

function hooksOf({ role, acts, methods }: Route, guard: Guard) {
  const isOpenWrite = role === 'open' && !methods.includes('GET');
  return [
    ...(role === 'open' ? [] : [guard.authenticate, requireRole(role)]),
    ...(acts || isOpenWrite ? [refusing(guard)] : []),
  ];
}

/** A token is never added by a browser itself: whoever shows one may call from anywhere. */
function refusing({ refuseForeignPage, cookiesOf }: Guard): Guard['refuseForeignPage'] {
  return async (request) => {
    const isByToken = request.principal !== null && cookiesOf(request).length === 0;
    if (!isByToken) await refuseForeignPage(request);
  };
}

const NUMBERS = ['id', 'job_id', 'source_id', 'destination_id', 'max_discover_threads'];

/** Without a body, its fields are read from the query. */
async function fillFromQuery(request: FastifyRequest): Promise<void> {
  if (!isEmptyObject(request.body)) return;
  const query = Object.entries(request.query as Record<string, unknown>);
  request.body = Object.fromEntries(
    query.map(([key, value]) => [key, NUMBERS.includes(key) && /^-?\d+$/.test(String(value)) ? Number(value) : value]),
  );
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function callOf(request: FastifyRequest, reply: FastifyReply): Call<never> {
  const param = (name: string) => (request.params as Record<string, string>)[name] ?? '';
  const query = (name: string) => queryOf(request, name);
  const principal = () => {
    if (request.principal === null) throw new Failure('unauthenticated', 'Authentication required');
    return request.principal;
  };
  return {
    request,
    reply,
    body: request.body as never,
    sent: (request.body ?? {}) as Record<string, unknown>,
    param,
    query,
    principal,
    id: (name = 'id') => readId(param(name), name),
    paging: () => pagingOf(query),
    form: () => formOf(query('form')),
    actor: () => ({ principal: request.principal, face: 'olake', requestId: request.id }),
    scope() {
      const project = param('projectid');
      checkProject(project);
      return { project, actor: { principal: principal(), face: 'olake', requestId: request.id } };
    },
  };
}

function queryOf(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[name];
  if (Array.isArray(value)) throw new Failure('bad_request', `query parameter ${name} is given twice`);
  return value;
}

/** A positive decimal integer up to 2^53 - 1. */
export function readId(text: string, name: string): number {
  if (/^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw new Failure('bad_request', `${name} must be a positive integer`);
}

/** A whole number of a query within bounds; `fallback` when absent. */
export function readNumber(
  text: string | undefined,
  { name, least, most, fallback }: { name: string; least: number; most: number; fallback: number },
): number {
  if (text === undefined || text === '') return fallback;
  const number = Number(text);
  if (/^-?\d{1,16}$/.test(text) && number >= least && number <= most) return number;
  throw new Failure('bad_request', `query parameter ${name} must be a whole number from ${least} to ${most}`);
}

const MOST_ITEMS = 1000;

function pagingOf(query: (name: string) => string | undefined): Paging {
  const most = Number.MAX_SAFE_INTEGER;
  const limit = readNumber(query('limit'), { name: 'limit', least: 1, most, fallback: 0 });
  const offset = readNumber(query('offset'), { name: 'offset', least: 0, most, fallback: 0 });
  return { ...(limit > 0 && { limit: Math.min(limit, MOST_ITEMS) }), offset };
}

function formOf(text: string | undefined): JsonForm | undefined {
  if (text === undefined || text === 'string' || text === 'object') return text;
  throw new Failure('bad_request', 'query parameter form must be string or object');
}
