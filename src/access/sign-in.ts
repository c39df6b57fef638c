import { createHash } from 'node:crypto';
import { Failure } from '../errors.ts';
import type { Store } from '../store/index.ts';
import { SESSION_SECONDS, type Credentials } from './credentials.ts';
import type { Passwords } from './passwords.ts';
import type { UserRow } from './rows.ts';
import { countFailures, insertFailure, removeFailure, removeFailuresOf, removeOldFailures } from './tables/failures.ts';
import { findUserByName, renewPasswordHash } from './tables/users.ts';
import type { Access } from './types.ts';

/** Failed sign-ins per address and user name in five minutes; one more is refused. */
const MOST_FAILURES = 20;
const LONGEST_PASSWORD = 1000;

interface SignInRoom {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly credentials: Credentials;
}

/** Checks a password and opens a session with one API token. */
export function createSignIn(room: SignInRoom): Access['signIn'] {
  const { store, passwords, credentials } = room;
  return async ({ username, password, address }) => {
    const origin = createHash('sha256').update(`${address}\0${username}`).digest();
    // Noted as a failure before the password is looked at: guesses made at once cannot slip past the count.
    const failure = await insertFailure(store.db, origin);
    if ((await countFailures(store.db, origin)) > MOST_FAILURES) {
      await removeFailure(store.db, failure);
      throw new Failure('too_many_requests', 'Too many failed sign-ins for this user name from this address.', {
        advice: 'Wait five minutes, then try again.',
      });
    }
    await removeOldFailures(store.db);
    const user = await findUser(store, username);
    const plausible = password.length <= LONGEST_PASSWORD;
    const matches = await passwords.verify(plausible ? user?.passwordHash : undefined, plausible ? password : '');
    if (!matches || user === undefined) throw new Failure('unauthenticated', 'Invalid credentials');
    await removeFailuresOf(store.db, origin);
    if (passwords.isOutdated(user.passwordHash)) {
      await renewPasswordHash(store.db, user, await passwords.hash(password));
    }
    return openSession(room, user);
  };

  async function openSession({ store: database }: SignInRoom, user: UserRow): ReturnType<Access['signIn']> {
    return database.transaction(async (tx) => {
      const { cookie, sessionId } = await credentials.startSession(tx, user.id);
      const token = await credentials.issueToken(tx, { userId: user.id, sessionId, name: 'session' });
      const principal = { userId: user.id, username: user.username, role: user.role, sessionId };
      return { principal, cookie, token, maxAgeSeconds: SESSION_SECONDS };
    });
  }
}

/** PostgreSQL text holds no NUL, so no user name does. */
async function findUser(store: Store, username: string): Promise<UserRow | undefined> {
  return username.includes('\0') ? undefined : findUserByName(store.db, username);
}
