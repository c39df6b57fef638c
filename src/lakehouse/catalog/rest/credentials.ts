import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import type { Authorize } from './http.ts';
import { send } from './http.ts';
import type { SigningKeys } from './signature.ts';
import { signRequest } from './signature.ts';

/** How a REST catalog knows who asks. */
export type RestCredentials =
  | { readonly type: 'none' }
  | { readonly type: 'token'; readonly token: string }
  | {
      readonly type: 'oauth2';
      /** `id:secret`, or the secret alone. */
      readonly credential: string;
      /** Where tokens are given; the catalog itself when absent. */
      readonly uri?: string;
      readonly scope?: string;
    }
  | { readonly type: 'signature'; readonly keys: SigningKeys };

/** Where a catalog is, without a slash at the end of `href`. */
export interface RestBase {
  readonly origin: string;
  readonly href: string;
}

/** Makes the function that adds credentials to requests of a catalog at `base`. */
export function createAuthorize(credentials: RestCredentials, base: RestBase, world: World): Authorize {
  switch (credentials.type) {
    case 'none':
      return async () => ({});
    case 'token':
      return async () => ({ authorization: `Bearer ${credentials.token}` });
    case 'signature':
      return async (request) => signRequest(request, credentials.keys, world.now());
    case 'oauth2':
      return oauth(credentials, base, world);
  }
}

interface Token {
  readonly text: string;
  /** By `world.elapsed`; a new one is asked for before. */
  readonly staleAt: number;
}

/** Client credentials (RFC 6749, 4.4): a new token is asked for when four fifths of the old one's time are over. */
function oauth(credentials: Extract<RestCredentials, { type: 'oauth2' }>, base: RestBase, world: World): Authorize {
  const at = credentials.credential.indexOf(':');
  const uri = credentials.uri ? new URL(credentials.uri) : new URL(`${base.href}/v1/oauth/tokens`);
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(at > 0 && { client_id: credentials.credential.slice(0, at) }),
    client_secret: credentials.credential.slice(at + 1),
    scope: credentials.scope || 'catalog',
  });
  let token: Promise<Token> | undefined;

  async function ask(): Promise<Token> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    const { status, text } = await send({ method: 'POST', url: uri, headers, body: form.toString() });
    const given = status === 200 ? readToken(text) : undefined;
    if (given) return { text: given.token, staleAt: world.elapsed() + given.seconds * 800 };
    const kind = status >= 500 || status === 429 ? 'unreachable' : 'credentials_refused';
    throw new Failure(kind, `${uri.origin} answers ${status} instead of giving a token for the credential.`);
  }

  return async (_request, renew) => {
    const known = await token?.catch(() => undefined);
    if (!known || renew || known.staleAt <= world.elapsed()) token = ask();
    const { text } = await token!;
    return { authorization: `Bearer ${text}` };
  };
}

function readToken(text: string): { readonly token: string; readonly seconds: number } | undefined {
  try {
    const answer = JSON.parse(text) as { readonly access_token?: unknown; readonly expires_in?: unknown };
    if (typeof answer.access_token !== 'string' || /[^\x21-\x7e]/.test(answer.access_token)) return undefined;
    const { expires_in: seconds } = answer;
    return { token: answer.access_token, seconds: typeof seconds === 'number' && seconds > 0 ? seconds : 3600 };
  } catch {
    return undefined;
  }
}
