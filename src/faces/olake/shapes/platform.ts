import { Type } from 'typebox';
import { role, rowId, text, time } from './parts.ts';

/** Shapes of people, sessions, settings and of the server itself, and of what goes wrong. */

const User = Type.Object(
  { id: rowId, username: text(), email: text(), role, created_at: time(), updated_at: time() },
  { $id: 'User', description: 'An account.' },
);

const Login = Type.Object(
  { username: text(), role, token: text('Usable as `Authorization: Bearer`; it dies with the session.') },
  { $id: 'Login', description: 'The session comes as a cookie.' },
);

const Settings = Type.Object(
  {
    id: Type.Integer({ minimum: 0, description: '0 before they were first written.' }),
    project_id: text(),
    webhook_alert_url: text('Empty when unset.'),
  },
  { $id: 'Settings', description: 'Settings of a project.' },
);

const Releases = Type.Object(
  {
    current_version: Type.Optional(text()),
    releases: Type.Array(
      Type.Object({
        title: Type.Optional(text()),
        version: text(),
        description: text(),
        tags: Type.Array(text()),
        date: Type.String({ format: 'date' }),
        link: text(),
      }),
    ),
  },
  { $id: 'Releases', description: 'Releases of one part.' },
);

const Failure = Type.Object(
  {
    success: Type.Literal(false),
    message: text('A sentence for people.'),
    details: Type.Optional(
      Type.Array(Type.Object({ field: text(), reason: text() }), {
        description: 'Only with 400: which fields, and why.',
      }),
    ),
  },
  { $id: 'Failure', description: 'The envelope of every call that fails.' },
);

export const platformShapes = [User, Login, Settings, Releases, Failure];
