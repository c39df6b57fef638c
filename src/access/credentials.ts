import { createHash, timingSafeEqual } from 'node:crypto';
import type { Store, Transaction } from '../store/index.ts';
import type { World } from '../world.ts';
import type { CredentialRow } from './rows.ts';
import {
  findSession,
  findToken,
  insertSession,
  insertToken,
  prolongSession,
  removeExpiredSessions,
  removeOldestSessions,
  removeSession,
} from './tables/credentials.ts';
import type { Access, Principal } from './types.ts';

export const SESSION_SECONDS = 30 * 24 * 60 * 60;
const SECRET_BYTES = 32;
/** A program that signs in for every call must not fill the database. */
const MOST_SESSIONS = 200;
const TOKEN_FORM = /^pen_([0-9A-Z]{8})_[A-Za-z0-9_-]{43}$/;
const TOKEN_ID_LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The bootstrap token stands for no user of the table: its principal has id 0. */
export const MASTER_NAME = 'storage-token';
const master: Principal = { userId: 0, username: MASTER_NAME, role: 'admin', sessionId: null };

export interface Credentials extends Pick<Access, 'authenticate' | 'signOut' | 'endSession'> {
  /** A new session; only its hash is stored. */
  startSession(tx: Transaction, userId: number): Promise<{ cookie: string; sessionId: string }>;
  /** A new token; only its hash is stored. With a session it dies with that. */
  issueToken(tx: Transaction, owner: { userId: number; sessionId: string | null; name: string }): Promise<string>;
  purge(): Promise<void>;
}

/** Sessions and API tokens: what a request shows to prove who makes it. */
export function createCredentials(room: {
  readonly store: Store;
  readonly world: World;
  readonly masterToken: string | null;
}): Credentials {
  const { store, world } = room;
  const masterHash = room.masterToken === null ? null : sha256(room.masterToken);

  async function resolveCookie(cookie: string): Promise<Principal | null> {
    const found = await findSession(store.pool, hashOfCookie(cookie));
    return found ? use(found) : null;
  }

  async function resolveToken(token: string): Promise<Principal | null> {
    if (masterHash !== null && timingSafeEqual(sha256(token), masterHash)) return master;
    const id = TOKEN_FORM.exec(token)?.[1];
    if (id === undefined) return null;
    const found = await findToken(store.pool, id);
    return found && timingSafeEqual(found.tokenHash, sha256(token)) ? use(found) : null;
  }

  async function use(found: CredentialRow): Promise<Principal> {
    const isProlonged = found.stale && found.sessionId !== null;
    if (isProlonged) await prolongSession(store.db, found.sessionId);
    const { userId, username, role, sessionId } = found;
    return { userId, username, role, sessionId, ...(isProlonged && { prolongedSeconds: SESSION_SECONDS }) };
  }

  return {
    async authenticate({ cookies, tokens }) {
      for (const cookie of cookies) {
        const principal = await resolveCookie(cookie);
        if (principal) return principal;
      }
      for (const token of tokens) {
        const principal = await resolveToken(token);
        if (principal) return principal;
      }
      return null;
    },
    signOut: (cookie) => removeSession(store.db, hashOfCookie(cookie)),
    endSession: (sessionId) => removeSession(store.db, sessionId),
    async startSession(tx, userId) {
      const cookie = world.random(SECRET_BYTES).toString('base64url');
      const sessionId = hashOfCookie(cookie);
      await insertSession(tx, { id: sessionId, userId });
      await removeOldestSessions(tx, userId, MOST_SESSIONS);
      return { cookie, sessionId };
    },
    async issueToken(tx, owner) {
      const id = newTokenId(world);
      const token = `pen_${id}_${world.random(SECRET_BYTES).toString('base64url')}`;
      await insertToken(tx, { ...owner, id, hash: sha256(token) });
      return token;
    },
    purge: () => removeExpiredSessions(store.db),
  };
}

function hashOfCookie(cookie: string): string {
  return sha256(cookie).toString('base64url');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function newTokenId(world: World): string {
  let id = '';
  for (const byte of world.random(8)) id += TOKEN_ID_LETTERS[byte & 31];
  return id;
}
