import { Type } from 'typebox';
import { name, ref, role, text } from './parts.ts';

/** Data of answers that have no name of their own. */
export const WhoAmI = Type.Object({ username: text(), role });
export const SignedUp = Type.Object({ email: text(), username: text() });
export const DeletedUser = Type.Object({ username: text() });
export const Telemetry = Type.Object({ user_id: text('Always empty.'), version: text() });
export const Deleted = name;
export const Unique = Type.Object({ unique: Type.Literal(true) });
export const Maintenance = Type.Object({ enabled: Type.Boolean() });
export const AllReleases = Type.Object({
  olake_ui_worker: ref('Releases'),
  olake_helm: ref('Releases'),
  olake: ref('Releases'),
  features: ref('Releases'),
});
