import { Failure } from '../errors.ts';
import type { Config } from '../config.ts';
import type { Store, Transaction } from '../store/index.ts';
import { MASTER_NAME } from './credentials.ts';
import type { Passwords } from './passwords.ts';
import type { UserRow } from './rows.ts';
import { insertAudit } from './tables/audit.ts';
import { removeSessionsOf } from './tables/credentials.ts';
import { renameMaster, revokeTokens } from './tables/storage-tokens.ts';
import {
  changeUser,
  countUsers,
  insertUser,
  listUserRows,
  lockAdminIds,
  lockUser,
  removeUser,
} from './tables/users.ts';
import type { Access, Actor, NewUser, Role, User } from './types.ts';

const ROLES: readonly Role[] = ['admin', 'editor', 'viewer'];
const LONGEST_NAME = 100;
const LONGEST_EMAIL = 254;
const LONGEST_PASSWORD = 1000;
const MOST_USERS = 1000;
const CONSTRAINTS: Readonly<Record<string, string>> = {
  users_username_unique: 'user name',
  users_email_unique: 'e-mail address',
};

interface UserRoom {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly config: Pick<Config, 'authSignup' | 'authPasswordMinLength'>;
}

type UserCalls = Pick<Access, 'signUp' | 'listUsers' | 'createUser' | 'updateUser' | 'deleteUser'>;

/** The people who may sign in. */
export function createUsers(room: UserRoom): UserCalls {
  const { store, passwords } = room;

  async function addUser(user: NewUser, by: Actor | undefined, action: string): Promise<User> {
    const checked = checkUser(room, user);
    const passwordHash = await passwords.hash(user.password);
    const work = async (tx: Transaction): Promise<UserRow> => {
      const added = await insertUser(tx, { ...checked, passwordHash });
      await note(tx, by, { action, id: added.id });
      return added;
    };
    return withoutHash(await namingConflicts(() => store.transaction(work)));
  }

  return {
    createUser: (user, by) => addUser(user, by, 'create user'),
    async signUp(user, by) {
      if (room.config.authSignup === 'closed') throw new Failure('forbidden', 'Sign-up is closed on this server.');
      return addUser({ ...user, role: 'editor' }, by, 'sign up');
    },
    async listUsers({ limit, offset }) {
      const rows = await listUserRows(store.db, { limit: limit ?? MOST_USERS, offset });
      return { users: rows.map(withoutHash), total: await countUsers(store.db) };
    },
    async updateUser(id, change, by) {
      const checked = checkUser(room, change);
      const passwordHash = change.password === undefined ? undefined : await passwords.hash(change.password);
      const work = async (tx: Transaction): Promise<UserRow> => {
        const user = await findForChange(tx, id, checked.role !== undefined && checked.role !== 'admin');
        // Whoever knew the old password has to sign in again; a role is read anew for every request.
        if (passwordHash !== undefined) await removeSessionsOf(tx, user.id);
        if (checked.email !== undefined) await renameMaster(tx, id, checked.email);
        await note(tx, by, { action: 'update user', id });
        return changeUser(tx, id, { ...checked, ...(passwordHash !== undefined && { passwordHash }) });
      };
      return withoutHash(await namingConflicts(() => store.transaction(work)));
    },
    async deleteUser(id, by) {
      return store.transaction(async (tx) => {
        const user = await findForChange(tx, id, true);
        await removeUser(tx, id);
        await revokeTokens(tx, { userId: id });
        await note(tx, by, { action: 'delete user', id });
        return withoutHash(user);
      });
    },
  };
}

async function note(tx: Transaction, by: Actor | undefined, { action, id }: { action: string; id: number }) {
  if (by) await insertAudit(tx, { ...by, action, subject: `user/${id}` });
}

/** Locks and answers the user; `conflict` when the change would take away the last administrator. */
async function findForChange(tx: Transaction, id: number, losesAdmin: boolean): Promise<UserRow> {
  const admins = losesAdmin ? await lockAdminIds(tx) : [];
  const user = Number.isSafeInteger(id) ? await lockUser(tx, id) : undefined;
  if (user === undefined) throw new Failure('not_found', 'There is no such user.');
  if (losesAdmin && user.role === 'admin' && admins.every((admin) => admin === id)) {
    throw new Failure('conflict', `${user.username} is the last administrator.`, {
      advice: 'Make another user an administrator first.',
    });
  }
  return user;
}

type Checked<T extends Partial<NewUser>> = Pick<T, Extract<keyof T, 'username' | 'email' | 'role'>>;

/** The stored form of what is given: user name as it is, e-mail in lower case. */
function checkUser<T extends Partial<NewUser>>(room: UserRoom, user: T): Checked<T> {
  const { username, email, password, role } = user;
  const checked: Partial<Record<'username' | 'email' | 'role', string>> = {};
  if (username !== undefined) checked.username = checkUsername(username);
  if (email !== undefined) checked.email = checkEmail(email);
  if (role !== undefined) checked.role = checkRole(role);
  if (password !== undefined) checkPassword(password, room.config.authPasswordMinLength);
  return checked as Checked<T>;
}

function checkUsername(username: string): string {
  const isPlain = username === username.trim() && ![...username].some((letter) => letter < ' ' || letter === '\u007f');
  if (username === '' || username.length > LONGEST_NAME || !isPlain) {
    throw invalid('username', `has 1 to ${LONGEST_NAME} characters and no blanks around it`);
  }
  if (username === MASTER_NAME) throw invalid('username', `cannot be "${MASTER_NAME}"`);
  return username;
}

function checkEmail(email: string): string {
  if (email.length > LONGEST_EMAIL || !/^[^\s@\0]+@[^\s@\0]+$/.test(email)) {
    throw invalid('email', 'looks like name@example.com');
  }
  return email.toLowerCase();
}

function checkRole(role: Role): Role {
  if (!ROLES.includes(role)) throw invalid('role', `is one of ${ROLES.join(', ')}`);
  return role;
}

function checkPassword(password: string, least: number): void {
  if (password.length < least || password.length > LONGEST_PASSWORD) {
    throw invalid('password', `has ${least} to ${LONGEST_PASSWORD} characters`);
  }
}

function invalid(field: string, rule: string): Failure {
  return new Failure('bad_request', `${field} ${rule}`, { details: [{ field, reason: rule }] });
}

/** Turns a broken unique constraint into a `conflict` that names the field. */
async function namingConflicts<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, constraint } = error as { code?: string; constraint?: string };
    const field = code === '23505' && constraint !== undefined ? CONSTRAINTS[constraint] : undefined;
    if (field === undefined) throw error;
    throw new Failure('conflict', `Another user has this ${field}.`, { cause: error });
  }
}

function withoutHash(row: UserRow): User {
  const { id, username, email, role, createdAt, updatedAt } = row;
  return { id, username, email, role, createdAt, updatedAt };
}
