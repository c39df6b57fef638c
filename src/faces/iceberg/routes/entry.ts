import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '../../../errors.ts';
import { requireRole } from '../../../http/index.ts';
import { checkProject } from '../../../sync/index.ts';
import type { FaceRooms, Route } from '../route.ts';

const DEFAULT_PROJECT = 'olake';
const FORM_BYTES = 16_384;

/** What clients ask first: the settings of a catalog, and a token. */
export function addEntryRoutes(app: FastifyInstance, rooms: FaceRooms, routes: readonly Route[]): void {
  const { guard } = rooms;
  const endpoints = routes.flatMap(({ methods, path }) =>
    methods.map((method) => `${method} /v1/{prefix}${path.replaceAll(/:(\w+)/g, '{$1}')}`),
  );
  app.route({
    method: 'GET',
    url: '/iceberg/v1/config',
    exposeHeadRoute: false,
    schema: { summary: 'Settings of a catalog: `warehouse` is a project', tags: ['iceberg'] },
    onRequest: [guard.authenticate, requireRole('viewer')],
    handler: async (request) => {
      const { warehouse } = request.query as { readonly warehouse?: string | string[] };
      if (Array.isArray(warehouse)) throw new Failure('bad_request', 'The query parameter warehouse is given twice.');
      const prefix = warehouse && !warehouse.includes('/') ? warehouse : DEFAULT_PROJECT;
      checkProject(prefix);
      return { defaults: {}, overrides: { prefix }, endpoints };
    },
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: FORM_BYTES },
    async (_request: FastifyRequest, text: string) => Object.fromEntries(new URLSearchParams(text)),
  );
  app.route({
    method: 'POST',
    url: '/iceberg/v1/oauth/tokens',
    bodyLimit: FORM_BYTES,
    schema: { summary: 'A token for a client: its secret is an API token', tags: ['iceberg'], security: [] },
    handler: (request, reply) => giveToken(rooms, request, reply),
  });
}

const TOKEN_SECONDS = 3600;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 6749, 4.4: the secret of a client is an API token, which is given back after its check. */
async function giveToken({ guard }: FaceRooms, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const form = (request.body ?? {}) as Readonly<Record<string, unknown>>;
  const grant = form['grant_type'];
  if (grant !== 'client_credentials' && grant !== EXCHANGE) {
    return refuse(reply, 400, 'unsupported_grant_type');
  }
  const secret = grant === EXCHANGE ? form['subject_token'] : (form['client_secret'] ?? basicSecret(request));
  if (typeof secret !== 'string' || secret === '') return refuse(reply, 400, 'invalid_request');
  // From here on it is a token like any other, with the same limit of wrong ones.
  delete request.headers.cookie;
  request.headers.authorization = `Bearer ${secret}`;
  try {
    await guard.authenticate(request);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'unauthenticated') return refuse(reply, 401, 'invalid_client');
    throw error;
  }
  return reply.send({
    access_token: secret,
    token_type: 'bearer',
    expires_in: TOKEN_SECONDS,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  });
}

function basicSecret({ headers }: FastifyRequest): string | undefined {
  const encoded = /^basic ([\w+/=-]+)$/i.exec(headers.authorization ?? '')?.[1];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString();
  const at = text.indexOf(':');
  return at === -1 ? undefined : decodeURIComponent(text.slice(at + 1));
}

/** Errors of this call have the form of OAuth, which is what clients expect of it. */
function refuse(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error, error_description: 'The secret of the client has to be a valid API token.' });
}
