import { Type } from 'typebox';

/** Shapes of the OLake server API as clients send and get them. Unknown keys are always welcome and never looked at. */

/** A JSON object, or a string that holds one; which of both is checked by the room. */
const Form = Type.Unknown({ description: 'A JSON object, or a string that holds one; comes back as it was sent.' });
const Text = Type.String();
const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const OptionalText = Type.Optional(Type.Union([Text, Type.Null()]));
/** -1 and 0 mean "none". */
const MaybeId = Type.Optional(Type.Union([Type.Integer({ maximum: Number.MAX_SAFE_INTEGER }), Type.Null()]));

export const LoginBody = Type.Object({ username: Text, password: Text });
export const SignupBody = Type.Object({
  email: Text,
  username: Type.String({ minLength: 1, maxLength: 100 }),
  password: Type.String({ minLength: 1 }),
});
const Role = Type.Enum(['admin', 'member', 'viewer']);
export const NewUserBody = Type.Object({ ...SignupBody.properties, role: Type.Optional(Role) });
export const UserChangeBody = Type.Partial(NewUserBody);

export const ConnectionBody = Type.Object({ name: Text, type: Text, version: Text, config: Form });
export const SpecBody = Type.Object({ type: Text, version: OptionalText, catalog: OptionalText });
export const TestBody = Type.Object({
  type: Text,
  config: Form,
  version: OptionalText,
  name: OptionalText,
  id: MaybeId,
  source_id: MaybeId,
  destination_id: MaybeId,
  job_id: MaybeId,
});
export const StreamsBody = Type.Object({
  ...TestBody.properties,
  job_name: OptionalText,
  max_discover_threads: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 100 }), Type.Null()])),
});

const EndBody = Type.Object({
  id: Type.Optional(Type.Union([Id, Type.Null()])),
  name: Type.Optional(Text),
  type: Type.Optional(Text),
  version: Type.Optional(Text),
  config: Type.Optional(Form),
});
export const JobBody = Type.Object({
  name: Text,
  source: EndBody,
  destination: EndBody,
  frequency: Text,
  streams_config: Form,
  activate: Type.Optional(Type.Boolean()),
  advanced_settings: Type.Optional(Type.Union([Type.Object({}), Type.Null()])),
});
export const JobChangeBody = Type.Object({ ...JobBody.properties, difference_streams: Type.Optional(Form) });
export const ActivateBody = Type.Object({ activate: Type.Boolean() });
export const LogsBody = Type.Object({ file_path: OptionalText });
export const DifferenceBody = Type.Object({ updated_streams_config: Form });
export const StateBody = Type.Object({ state: Form });
export const StateFileBody = Type.Object({ state_file: Form });
export const UniqueBody = Type.Object({ name: Text, entity_type: Type.Enum(['job', 'source', 'destination']) });
export const SettingsBody = Type.Object({
  project_id: Text,
  webhook_alert_url: Type.Optional(Text),
  id: Type.Optional(Type.Unknown()),
});
