import type { Config } from '../config.ts';
import type { Store } from '../store/index.ts';
import type { World } from '../world.ts';
import { createCredentials, MASTER_NAME } from './credentials.ts';
import { loadServerKey } from './key.ts';
import { createPasswords, type Passwords } from './passwords.ts';
import { createSecrets, foreignKey, keyIdOf } from './secrets.ts';
import { createSignIn } from './sign-in.ts';
import { insertAudit, trimAudit } from './tables/audit.ts';
import { removeOldFailures } from './tables/failures.ts';
import { claimServerKey } from './tables/key.ts';
import { countUsers, insertUserIfNew } from './tables/users.ts';
import { createStorageTokens } from './tokens/tokens.ts';
import type { Access } from './types.ts';
import { createUsers } from './users.ts';

const MOST_AUDIT_ENTRIES = 100_000;

export interface OpenAccess extends Access {
  /** The password made up for the first administrator at the very first start; null at all others. Show it once. */
  readonly generatedPassword: string | null;
  /** A token that lives until it or its user is removed. It is shown this once only. */
  issueToken(userId: number, name: string): Promise<string>;
  /** Removes expired sessions, old sign-in failures and audit entries beyond the cap. */
  purge(): Promise<void>;
}

interface AccessOptions {
  readonly store: Store;
  readonly config: Config;
  readonly world: World;
}

/**
 * Opens the room on a migrated store. At the first start it makes the server key and the first administrator; it fails
 * with `configuration_invalid` when this server's key is not the one that seals the secrets of the database.
 */
export async function createAccess({ store, config, world }: AccessOptions): Promise<OpenAccess> {
  const key = await loadServerKey(config, world);
  const recorded = await claimServerKey(store.db, keyIdOf(key));
  if (recorded !== keyIdOf(key)) throw foreignKey(recorded, keyIdOf(key));
  const passwords = createPasswords(world);
  const credentials = createCredentials({ store, world, masterToken: config.storageToken });
  const { purge: purgeTokens, ...tokens } = createStorageTokens({
    store,
    world,
    credentials,
    project: String(config.projectId),
    bootstrapName: config.storageToken === null ? null : MASTER_NAME,
  });
  return {
    generatedPassword: await ensureFirstAdmin({ store, config, world }, passwords),
    ...createUsers({ store, passwords, config }),
    signIn: createSignIn({ store, passwords, credentials }),
    signOut: (cookie) => credentials.signOut(cookie),
    endSession: (sessionId) => credentials.endSession(sessionId),
    authenticate: (shown) => credentials.authenticate(shown),
    issueToken: (userId, name) =>
      store.transaction((tx) => credentials.issueToken(tx, { userId, sessionId: null, name })),
    audit: insertAudit,
    secrets: createSecrets(key, world),
    tokens,
    async purge() {
      await credentials.purge();
      await purgeTokens();
      await removeOldFailures(store.db);
      await trimAudit(store.db, MOST_AUDIT_ENTRIES);
    },
  };
}

/** Makes the first administrator while there is no user at all; answers the password if one had to be made up. */
async function ensureFirstAdmin({ store, config, world }: AccessOptions, passwords: Passwords): Promise<string | null> {
  if ((await countUsers(store.db)) > 0) return null;
  const password = config.adminPassword ?? world.random(12).toString('base64url');
  const made = await insertUserIfNew(store.db, {
    username: config.adminUser,
    email: `${config.adminUser.toLowerCase()}@localhost`,
    role: 'admin',
    passwordHash: await passwords.hash(password),
  });
  return made !== undefined && config.adminPassword === null ? password : null;
}
