import { Type } from 'typebox';
import { NewUserBody, UserChangeBody } from '../contract.ts';
import { route, type FaceRooms, type Route } from '../route.ts';
import { DeletedUser, ref } from '../shapes/index.ts';
import { roleOf, showUser } from '../translate.ts';

const PATH = '/api/v1/users';

/** The accounts; for administrators. */
export function userRoutes(rooms: FaceRooms): Route[] {
  return [...listAndCreateRoutes(rooms), ...changeRoutes(rooms)];
}

function listAndCreateRoutes({ access }: FaceRooms): Route[] {
  return [
    route({
      methods: ['GET'],
      paths: [PATH],
      role: 'admin',
      summary: 'List the users',
      data: Type.Array(ref('User')),
      paged: true,
      async handle(call) {
        const { users, total } = await access.listUsers(call.paging());
        return { message: 'users listed', data: users.map(showUser), total };
      },
    }),
    route({
      methods: ['POST'],
      paths: [PATH],
      role: 'admin',
      summary: 'Create a user',
      data: ref('User'),
      fails: [409],
      body: NewUserBody,
      async handle({ body, actor }) {
        const { username, email, password, role } = body;
        const user = await access.createUser({ username, email, password, role: roleOf(role) }, actor());
        return { message: 'user created successfully', data: showUser(user) };
      },
    }),
  ];
}

function changeRoutes({ access }: FaceRooms): Route[] {
  return [
    route({
      methods: ['PUT'],
      paths: [`${PATH}/:id`],
      role: 'admin',
      summary: 'Change a user',
      data: ref('User'),
      fails: [404, 409],
      body: UserChangeBody,
      async handle(call) {
        const { username, email, password, role } = call.body;
        const change = {
          ...(username !== undefined && { username }),
          ...(email !== undefined && { email }),
          ...(password !== undefined && { password }),
          ...(role !== undefined && { role: roleOf(role) }),
        };
        const user = await access.updateUser(call.id(), change, call.actor());
        return { message: 'user updated successfully', data: showUser(user) };
      },
    }),
    route({
      methods: ['DELETE'],
      paths: [`${PATH}/:id`],
      role: 'admin',
      summary: 'Delete a user; its sessions and tokens end at once',
      data: DeletedUser,
      fails: [404, 409],
      async handle(call) {
        const { username } = await access.deleteUser(call.id(), call.actor());
        return { message: 'user deleted successfully', data: { username } };
      },
    }),
  ];
}
