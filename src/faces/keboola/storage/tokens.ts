import type { StorageToken } from '../../../access/index.ts';
import { Failure } from '../../../errors.ts';
import { route, type Call, type FaceContext, type Route } from '../route.ts';
import { readNewToken, readTokenChange } from './read.ts';
import * as shapes from './shapes.ts';
import { showAdmin, showOwner, showToken } from './show.ts';

const ALL = '/v2/storage/tokens';
const ONE = `${ALL}/:id`;

/** Tokens as clients of the storage API know them. */
export function tokenRoutes(face: FaceContext): readonly Route[] {
  return [verifyRoute(face), ...readingRoutes(face), ...writingRoutes(face)];
}

function verifyRoute(face: FaceContext): Route {
  return {
    method: 'GET',
    paths: [`${ALL}/verify`],
    right: 'verify',
    summary: 'Who the token is and where it is valid',
    shapes: { answer: shapes.verified },
    handle: async (call) => {
      const { token, text } = call.identity();
      return {
        ...showToken(token, call),
        token: text,
        owner: showOwner(face),
        ...(token.isMaster && { admin: showAdmin(token) }),
      };
    },
  };
}

function readingRoutes(face: FaceContext): readonly Route[] {
  const { tokens } = face.access;
  return [
    {
      method: 'GET',
      paths: [ALL],
      right: 'read',
      summary: 'Tokens of the project; without canManageTokens the own one only',
      shapes: { answer: shapes.tokens },
      handle: async (call) => {
        const own = call.token();
        const all = await tokens.list(call.project);
        return all.filter(({ id }) => maySee(own, id)).map((token) => showToken(token, call));
      },
    },
    route({
      method: 'GET',
      paths: [ONE],
      right: 'read',
      summary: 'One token',
      shapes: { answer: shapes.token },
      find: finderOf(face),
      handle: async (call, token) => showToken(token, call),
    }),
  ];
}

function writingRoutes(face: FaceContext): readonly Route[] {
  const { tokens } = face.access;
  const find = finderOf(face);
  const scopeOf = (call: Call) => ({ token: call.token(), actor: call.actor() });
  return [
    {
      method: 'POST',
      paths: [ALL],
      right: 'change',
      summary: 'Make a token; its text is answered this once',
      status: 201,
      shapes: { body: shapes.newToken, answer: shapes.withText },
      handle: async (call) => showSecret(call, await tokens.create(scopeOf(call), readNewToken(call.body()))),
    },
    route({
      method: 'PUT',
      paths: [ONE],
      right: 'change',
      summary: 'Replace description, bucketPermissions or componentAccess of a token',
      shapes: { body: shapes.tokenChange, answer: shapes.token },
      find,
      handle: async (call, { id }) =>
        showToken(await tokens.update(scopeOf(call), id, readTokenChange(call.body())), call),
    }),
    route({
      method: 'POST',
      paths: [`${ONE}/refresh`],
      // Even a viewer may take back a text of the own token that others have got hold of.
      right: 'read',
      ignoresBody: true,
      summary: 'Give a token a new text, answered this once; the old one is dead',
      shapes: { answer: shapes.withText },
      find,
      handle: async (call, { id }) => showSecret(call, await tokens.refresh(scopeOf(call), id)),
    }),
    route({
      method: 'DELETE',
      paths: [ONE],
      right: 'change',
      summary: 'Delete a token that no orchestration acts with',
      status: 204,
      find,
      handle: (call, { id }) =>
        tokens.remove(scopeOf(call), id, async (tx) => {
          const [bound] = await face.orchestrate.definitions.boundTo(id, tx);
          if (bound === undefined) return;
          throw new Failure('bad_request', `Token ${id} is used by orchestration ${bound.id} "${bound.name}"`);
        }),
    }),
  ];
}

function finderOf({ access }: FaceContext) {
  return async (call: Call): Promise<StorageToken> => {
    const id = call.id('Token');
    const own = call.token();
    // Before it is looked for: nobody learns which ids there are.
    if (!maySee(own, id))
      throw new Failure('forbidden', `Token ${own.id} must have canManageTokens to see other tokens`);
    const token = await access.tokens.get(id);
    if (token === undefined) throw new Failure('not_found', `Token ${id} not found`);
    return token;
  };
}

function maySee(own: StorageToken, id: number): boolean {
  return own.canManageTokens || own.id === id;
}

function showSecret(call: Call, { token, secret }: { readonly token: StorageToken; readonly secret: string }) {
  return { ...showToken(token, call), token: secret };
}
