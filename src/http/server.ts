import { fastify, LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { addBodyParsers } from './body.ts';
import { createFaceFinder, sendFailure, sortError } from './failures.ts';
import { createGuard } from './guard.ts';
import { corsHooks } from './origin.ts';
import type { ServerOptions } from './options.ts';
import { addPlatformRoutes } from './platform-routes.ts';
import type { Face } from './types.ts';
import { createValidatorCompiler } from './validation.ts';

const HEADER_MS = 10_000;
const IDLE_MS = 600_000;
const HEADER_BYTES = 32_768;
const PARAMETER_LENGTH = 2048;
const GRACE_MS = 10_000;

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

export interface Server {
  readonly app: FastifyInstance;
  /** Answers the URL; `configuration_invalid` when the port cannot be had. */
  listen(): Promise<string>;
  /** Answers what is under way, ten seconds long at most, then cuts. */
  close(): Promise<void>;
}

/** The web server with all its faces, not yet listening. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { config, faces, observe } = options;
  const app = createApp(options);
  const findFace = createFaceFinder(faces);
  let isClosing = false;
  app.decorateRequest('principal', null);
  app.setErrorHandler((error, request, reply) => {
    sendFailure({ face: findFace(request.url), request, reply }, sortError(error));
  });
  app.setNotFoundHandler((request, reply) => {
    const failure = new Failure('not_found', 'There is nothing at this path.');
    sendFailure({ face: findFace(request.url), request, reply }, failure);
  });
  // oxlint-disable-next-line max-params -- the framework's signature
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing) reply.header('connection', 'close');
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    observe.countRequest(request, reply);
    done();
  });
  addPlatformRoutes(app, { ...options, guard: createGuard(options) });
  for (const face of faces) await registerFace(app, face, config.httpMaxBodyBytes);
  await app.ready();
  return {
    app,
    listen: () => listen(app, config),
    async close() {
      isClosing = true;
      const idle = setInterval(() => app.server.closeIdleConnections(), 100);
      const cut = setTimeout(() => app.server.closeAllConnections(), GRACE_MS);
      await app.close();
      clearInterval(idle);
      clearTimeout(cut);
    },
  };
}

/** The bare server: limits, headers, ids and parsers that hold for every route. */
function createApp({ config, faces, observe, world }: ServerOptions): FastifyInstance {
  const bootId = world.random(6).toString('base64url');
  let requests = 0;
  const findFace = createFaceFinder(faces);
  const answerCors = corsHooks(config.corsOrigins);
  const onRequest = (request: FastifyRequest, reply: FastifyReply): boolean => {
    const face = findFace(request.url);
    reply.headers(SECURITY_HEADERS);
    if (face?.headers) reply.headers(face.headers);
    reply.header('x-request-id', request.id);
    return (face?.answerCors ?? answerCors)(request, reply);
  };
  const app = fastify({
    loggerInstance: observe.log as never,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.httpMaxBodyBytes,
    connectionTimeout: IDLE_MS,
    requestTimeout: IDLE_MS,
    keepAliveTimeout: IDLE_MS,
    forceCloseConnections: 'idle' as never,
    rewriteUrl: ({ url = '/' }) => rewriteUrl(faces, url),
    routerOptions: { maxParamLength: PARAMETER_LENGTH },
    http: { headersTimeout: HEADER_MS, maxHeaderSize: HEADER_BYTES, connectionsCheckingInterval: 2000 },
    genReqId: () => `${bootId}-${(++requests).toString(36)}`,
    childLoggerFactory: (logger) => logger,
    // Errors from before routing: no hook has run yet.
    frameworkErrors: (error, request, reply) => {
      if (onRequest(request, reply)) return;
      sendFailure({ face: findFace(request.url), request, reply }, sortError(error));
    },
  }) as unknown as FastifyInstance;
  app.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  app.setValidatorCompiler(createValidatorCompiler());
  // Answers are made by typed translators: a second pass over them by schema would cost and could only hide fields.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  addBodyParsers(app, { limitBytes: config.httpMaxBodyBytes, anyTypeIsJson: false });
  app.addHook('onRequest', (request, reply, done) => {
    if (onRequest(request, reply)) return;
    if (request.url.includes('%00')) done(new Failure('bad_request', 'The URL holds a NUL character.'));
    // What is sent to a path that is not there is not looked at.
    else if (request.is404) done(new Failure('not_found', 'There is nothing at this path.'));
    else done();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined && request.routeOptions.config.body === 'optional') request.body = {};
    done();
  });
  return app;
}

/** Gives a face its own context: its parsers and hooks end at its border. */
async function registerFace(app: FastifyInstance, face: Face, limitBytes: number): Promise<void> {
  await app.register(async (scope) => {
    const { readsAnyTypeAsJson: anyTypeIsJson = false, keepsNumbers = false, mostBodyBytes = limitBytes } = face;
    if (anyTypeIsJson || keepsNumbers || mostBodyBytes < limitBytes) {
      addBodyParsers(scope, { limitBytes: Math.min(mostBodyBytes, limitBytes), anyTypeIsJson, keepsNumbers });
    }
    await face.register(scope);
  });
}

/** The first face that knows the URL under another form has it; all other URLs stay as they are. */
function rewriteUrl(faces: readonly Face[], url: string): string {
  for (const face of faces) {
    const rewritten = face.rewriteUrl?.(url);
    if (rewritten !== undefined) return rewritten;
  }
  return url;
}

async function listen(app: FastifyInstance, config: Config): Promise<string> {
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    throw explainListenError(error as NodeJS.ErrnoException, config);
  }
  const { port } = app.server.address() as { port: number };
  const host = config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function explainListenError(error: NodeJS.ErrnoException, { host, port }: Config): unknown {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} on ${host} is in use by another program`,
    EACCES: `port ${port} on ${host} may not be used by this user`,
    EADDRNOTAVAIL: `this machine does not have the address ${host}`,
    ENOTFOUND: `this machine does not have the address ${host}`,
  };
  const reason = reasons[error.code ?? ''];
  if (reason === undefined) return error;
  return new Failure('configuration_invalid', reason, {
    cause: error,
    advice: 'Stop the other program, or choose another address with PENSTOCK_HOST and PENSTOCK_PORT (0 = any free).',
  });
}
