import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { checkRight, type Access, type Actor, type Right, type StorageToken } from '../../access/index.ts';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import type { Guard } from '../../http/index.ts';
import type { Notify } from '../../notify/index.ts';
import type { Caller, Orchestrate, Scope } from '../../orchestrate/index.ts';
import type { World } from '../../world.ts';
import { createIdentify, type Identity } from './credentials.ts';
import { describeRoute, type Described } from './document.ts';
import { JSON_TYPE } from './errors.ts';
import { sendMaintenance } from './maintenance.ts';
import { readPage, type Page } from './paging.ts';
import { readRunId } from './run-id.ts';
import { baseOf, originOf } from './uri.ts';

/** What the face stands on. */
export interface KeboolaRooms {
  readonly orchestrate: Orchestrate;
  /** What people were told. */
  readonly notify: Pick<Notify, 'list' | 'resend'>;
  readonly access: Pick<Access, 'authenticate' | 'tokens'>;
  readonly config: Pick<
    Config,
    | 'corsOrigins'
    | 'publicUrl'
    | 'host'
    | 'httpMaxBodyBytes'
    | 'projectId'
    | 'projectName'
    | 'parallelism'
    | 'maintenance'
  >;
  readonly world: World;
  /** Of this product. */
  readonly version: string;
}

export type FaceContext = KeboolaRooms & { readonly guard: Guard };

/** One request, with what routes ask of it. */
export interface Call {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Who asks, and by which text; `unauthenticated` on open routes. */
  identity(): Identity;
  token(): StorageToken;
  caller(): Caller;
  /** For the audit. */
  actor(): Actor;
  /** The project, with who asks. */
  scope(): Scope;
  readonly project: string;
  /** Path parameter as text. */
  param(name: string): string;
  /** The `id` of the path; `not_found`, naming what it would be of, when it is no positive whole number. */
  id(noun: string): number;
  /** Query parameter; `bad_request` when given twice. */
  query(name: string): string | undefined;
  page(usualLimit: number): Page;
  /** The body as a JSON object; nothing and `null` are an empty one. */
  body(): Readonly<Record<string, unknown>>;
  /** The body as any JSON; nothing is an empty object. */
  value(): unknown;
  /** The address of a path of this face, at the mount by which it was called. */
  uri(path: string): string;
  /** The address of a path outside the mount. */
  rootUri(path: string): string;
  /** Tells how many there are before paging. */
  countAll(total: number): void;
}

export interface Route<Found = unknown> extends Described {
  readonly method: HTTPMethods;
  /** What the token must be allowed to; `open` routes need none. */
  readonly right: Right | 'open';
  /** It does not look at what is sent. Routes by GET and DELETE never do. */
  readonly ignoresBody?: true;
  /** Finds what the path names, before the body is read; throws `not_found`. */
  find?(call: Call): Promise<Found>;
  /** Answers the body, or sends a reply of its own. */
  handle(call: Call, found: Found): Promise<unknown>;
}

/** Keeps the type of what is found while a route is written down. */
export function route<Found>(spec: Route<Found>): Route {
  return spec as unknown as Route;
}

/** What the hooks of a route leave to its handler. */
interface Kept {
  identity?: Identity;
  found?: unknown;
}

/**
 * Adds routes with the checks of 2.5 in their order: path, method, credential, right, existence; then the body is read,
 * and size, JSON and content are checked. Methods that a path does not have are refused for all of them.
 */
export function addRoutes(app: FastifyInstance, routes: readonly Route[], face: FaceContext): void {
  const kept = new WeakMap<FastifyRequest, Kept>();
  const identify = createIdentify(face);
  const methods = new Map<string, Set<string>>();
  for (const spec of routes) {
    for (const path of spec.paths) {
      methods.set(path, (methods.get(path) ?? new Set()).add(String(spec.method)));
      addRoute(app, { spec, path, face, kept, identify });
    }
  }
  for (const [path, known] of methods) refuseOthers(app, path, known);
}

interface Adding {
  readonly spec: Route;
  readonly path: string;
  readonly face: FaceContext;
  readonly kept: WeakMap<FastifyRequest, Kept>;
  readonly identify: ReturnType<typeof createIdentify>;
}

function addRoute(app: FastifyInstance, { spec, path, face, kept, identify }: Adding): void {
  const { method, right, status = 200 } = spec;
  const readsNothing = spec.ignoresBody || method === 'GET' || method === 'DELETE';
  const callOf = (request: FastifyRequest, reply: FastifyReply): Call =>
    createCall({ request, reply, face, identity: kept.get(request)?.identity });
  app.route({
    method,
    url: path,
    exposeHeadRoute: false,
    config: readsNothing ? { body: 'ignored' } : {},
    ...(app.hasDecorator('swagger') && { schema: describeRoute(spec) }),
    onRequest: async (request, reply) => {
      const { maintenance } = face.config;
      if (maintenance !== null) return sendMaintenance(reply, maintenance, face.world.now());
      const mine: Kept = {};
      kept.set(request, mine);
      if (right !== 'open') {
        mine.identity = await identify(request, reply);
        checkRight(mine.identity.token, right);
      }
      mine.found = await spec.find?.(callOf(request, reply));
      return undefined;
    },
    handler: async (request, reply) => {
      const answer = await spec.handle(callOf(request, reply), kept.get(request)?.found);
      if (reply.sent) return reply;
      reply.code(status);
      if (status === 204) return reply.send();
      // As bytes: to text the framework adds a charset, which clients of the storage API do not know.
      return reply.header('content-type', JSON_TYPE).send(Buffer.from(JSON.stringify(answer)));
    },
  });
}

function refuseOthers(app: FastifyInstance, path: string, known: ReadonlySet<string>): void {
  const allow = [...known, 'OPTIONS'].join(', ');
  app.route({
    method: app.supportedMethods.filter((method) => !known.has(method) && method !== 'OPTIONS'),
    url: path,
    exposeHeadRoute: false,
    ...(app.hasDecorator('swagger') && { schema: { hide: true } }),
    onRequest: async (request, reply) => {
      reply.header('allow', allow);
      throw new Failure('method_not_allowed', `Method ${request.method} is not allowed`);
    },
    handler: async () => undefined,
  });
}

interface CallParts {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly face: FaceContext;
  readonly identity: Identity | undefined;
}

function createCall({ request, reply, face, identity }: CallParts): Call {
  const { config } = face;
  const project = String(config.projectId);
  const known = (): Identity => {
    if (identity === undefined) throw new Failure('unauthenticated', 'Missing StorageAPI token');
    return identity;
  };
  const caller = (): Caller => callerOf(request, known().token);
  const actor = (): Actor => ({ principal: principalOf(known().token), face: 'keboola', requestId: request.id });
  const param = (name: string): string => (request.params as Record<string, string>)[name] ?? '';
  const query = (name: string): string | undefined => queryOf(request, name);
  return {
    request,
    reply,
    project,
    identity: known,
    token: () => known().token,
    caller,
    actor,
    scope: () => ({ project, caller: caller(), actor: actor() }),
    param,
    id: (noun) => readId(param('id'), noun),
    query,
    page: (usualLimit) => readPage(query, usualLimit),
    body: () => readObject(request.body),
    value: () => request.body ?? {},
    uri: (path) => `${baseOf(request, config)}${path}`,
    rootUri: (path) => `${originOf(request, config)}${path}`,
    countAll: (total) => void reply.header('x-total-count', String(total)),
  };
}

/** A token acts for its user; the audit names both. */
function principalOf({ userId, username, role }: StorageToken): Actor['principal'] {
  return { userId, username, role, sessionId: null };
}

const LONGEST_AGENT = 1000;
const LONGEST_KEY = 255;

function callerOf({ headers }: FastifyRequest, token: StorageToken): Caller {
  const key = headers['x-idempotency-key'];
  if (typeof key === 'string' && key.length > LONGEST_KEY) {
    throw new Failure('bad_request', `X-Idempotency-Key: at most ${LONGEST_KEY} characters`);
  }
  return {
    token,
    userAgent: (headers['user-agent'] ?? '').slice(0, LONGEST_AGENT),
    parentPath: readRunId(headers),
    ...(typeof key === 'string' && key !== '' && { idempotencyKey: key }),
  };
}

/** A positive decimal integer that a row may have. */
export function readId(text: string, noun: string): number {
  const id = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(id) && id > 0) return id;
  throw new Failure('not_found', `${noun} ${text.slice(0, 100)} not found`);
}

function queryOf(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[name];
  if (Array.isArray(value)) throw new Failure('bad_request', `${name}: is given twice`);
  return value;
}

function readObject(value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  throw new Failure('bad_request', 'The request body must be a JSON object');
}
