import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN, startRig, type Rig } from './rig.ts';
import { knownRoutes, pathIn } from './routes.ts';
import { send, signIn } from './wire.ts';

const RANKS = { open: 0, viewer: 1, member: 2, admin: 3 } as const;
let rig: Rig;
const clients: Record<string, Record<string, string>> = { anonymous: {} };

before(async () => {
  rig = await startRig();
  clients['admin'] = await signIn(rig.url, ADMIN);
  for (const role of ['viewer', 'member']) {
    const user = { username: role, password: 'p', email: `${role}@example.com`, role };
    const text = JSON.stringify(user);
    await send(rig.url, { method: 'POST', path: '/api/v1/users', headers: clients['admin'], text });
    clients[role] = await signIn(rig.url, user);
  }
});

after(() => rig?.close());

describe('every route', () => {
  for (const route of knownRoutes) {
    it(`${route.method} ${route.path} is ${route.role === 'open' ? 'open to all' : `for ${route.role} and above`}`, async () => {
      for (const [role, rank] of [
        ['anonymous', 0],
        ['viewer', 1],
        ['member', 2],
        ['admin', 3],
      ] as const) {
        const project = `roles-${role}`;
        const text = route.body && JSON.stringify(route.body).replace('":p"', `"${project}"`);
        const { status, body } = await send(rig.url, {
          method: route.method,
          path: pathIn(route, project),
          headers: { ...clients[role], ...(text && { 'content-type': 'application/json' }) },
          ...(text && { text }),
        });
        const message = (body as { message: string }).message;
        const isLet = rank >= RANKS[route.role];
        if (isLet) {
          const refused = status === 403 || (status === 401 && route.path !== '/login');
          assert.ok(!refused && status < 500, `${role}: ${status} ${message}`);
        } else {
          assert.deepEqual(
            [status, message],
            role === 'anonymous' ? [401, 'Authentication required'] : [403, 'Insufficient permissions'],
          );
        }
        // Signing out with the admin's cookie would end the loop for the rest.
        if (route.path === '/logout') clients[role] = role === 'anonymous' ? {} : await again(role);
      }
    });
  }
});

function again(role: string): Promise<Record<string, string>> {
  return signIn(rig.url, role === 'admin' ? ADMIN : { username: role, password: 'p' });
}
