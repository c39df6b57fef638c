import { Type } from 'typebox';
import { clientAddress } from '../../../http/index.ts';
import { LoginBody, SignupBody } from '../contract.ts';
import { route, type FaceRooms, type Route } from '../route.ts';
import { ref, SignedUp, Telemetry, WhoAmI } from '../shapes/index.ts';
import { roleWord } from '../translate.ts';

/** Signing in, up and out. */
export function sessionRoutes(rooms: FaceRooms): Route[] {
  return [...signInRoutes(rooms), ...sessionEndRoutes(rooms)];
}

function signInRoutes({ access, guard, config }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: ['/login'],
      role: 'open',
      summary: 'Sign in: a session cookie, and a token that dies with the session',
      data: ref('Login'),
      fails: [401, 429],
      body: LoginBody,
      async handle({ request, reply, body }) {
        const { username, password } = body;
        const signed = await access.signIn({ username, password, address: clientAddress(request, config) });
        reply.header('set-cookie', guard.sessionCookie(request, signed.cookie, signed.maxAgeSeconds));
        const { principal, token } = signed;
        const data = { username: principal.username, role: roleWord(principal.role), token };
        return { message: 'login successful', data };
      },
    }),
    route({
      methods: ['POST'],
      paths: ['/signup'],
      role: 'open',
      summary: 'Create an account for oneself, where the operator allows it',
      data: SignedUp,
      fails: [409, 429],
      body: SignupBody,
      async handle({ body, actor }) {
        const { email, username, password } = body;
        const user = await access.signUp({ email, username, password }, actor());
        return { message: 'user registered successfully', data: { email: user.email, username: user.username } };
      },
    }),
    route({
      methods: ['GET'],
      paths: ['/auth', '/auth/check'],
      role: 'viewer',
      summary: 'Who am I',
      data: WhoAmI,
      async handle(call) {
        const { username, role } = call.principal();
        return { message: 'authenticated', data: { username, role: roleWord(role) } };
      },
    }),
  ];
}

function sessionEndRoutes({ access, guard, version }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      paths: ['/logout'],
      role: 'open',
      summary: 'End the session and its token',
      data: Type.Null(),
      async handle({ request, reply }) {
        await guard.identify(request);
        for (const cookie of guard.cookiesOf(request)) await access.signOut(cookie);
        if (request.principal?.sessionId) await access.endSession(request.principal.sessionId);
        reply.header('set-cookie', guard.sessionCookie(request, '', 0));
        return { message: 'logged out', data: null };
      },
    }),
    route({
      methods: ['GET'],
      paths: ['/telemetry-id'],
      role: 'open',
      summary: 'No telemetry is sent',
      data: Telemetry,
      handle: async () => ({ message: 'ok', data: { user_id: '', version } }),
    }),
  ];
}
