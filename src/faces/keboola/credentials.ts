import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access, StorageToken } from '../../access/index.ts';
import { Failure } from '../../errors.ts';
import type { Guard } from '../../http/index.ts';

/** Who makes a request, and by what. */
export interface Identity {
  readonly token: StorageToken;
  /** What was sent; null when it was the cookie of a session. */
  readonly text: string | null;
}

const LONGEST_TOKEN = 255;

/**
 * Finds out who makes a request (section 3). The first credential that is there decides, also when it is invalid; a
 * session acts as the master token of its user. Fails with `unauthenticated`, and with `forbidden` where a page of
 * another site would write with the cookie of its visitor.
 */
export function createIdentify({ access, guard }: { access: Pick<Access, 'tokens'>; guard: Guard }) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Identity> => {
    const text = readToken(request);
    if (text !== undefined) {
      const token = text.length > LONGEST_TOKEN ? undefined : await access.tokens.identify(text);
      if (token === undefined) throw new Failure('unauthenticated', 'Invalid StorageApi Token');
      return { token, text };
    }
    if (guard.cookiesOf(request).length === 0) throw new Failure('unauthenticated', 'Missing StorageAPI token');
    await guard.identify(request, reply);
    if (request.principal === null) throw new Failure('unauthenticated', 'Invalid StorageApi Token');
    return { token: await access.tokens.masterOf(request.principal), text: null };
  };
}

function readToken({ headers }: FastifyRequest): string | undefined {
  const bearer = /^bearer +(.*)$/i.exec(headers.authorization ?? '')?.[1];
  const shown = [headers['x-storageapi-token'], bearer, headers['auth-token']];
  return shown.find((text) => typeof text === 'string' && text !== '') as string | undefined;
}
