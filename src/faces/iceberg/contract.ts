import { Type } from 'typebox';

/** Shapes of requests of the Iceberg REST protocol, as far as the routes read them; the warehouse checks what is inside. */

const Text = Type.String();
const Name = Type.String({ minLength: 1, maxLength: 255 });
const Levels = Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { minItems: 1, maxItems: 50 });
const Properties = Type.Record(Text, Text);
const Identifier = Type.Object({ namespace: Levels, name: Name });
const Anything = Type.Object({});

export const NamespaceBody = Type.Object({
  namespace: Levels,
  properties: Type.Optional(Type.Union([Properties, Type.Null()])),
});
export const PropertiesBody = Type.Object({
  updates: Type.Optional(Type.Union([Properties, Type.Null()])),
  removals: Type.Optional(Type.Union([Type.Array(Text), Type.Null()])),
});
export const CreateTableBody = Type.Object({
  name: Name,
  location: Type.Optional(Type.Union([Text, Type.Null()])),
  schema: Anything,
  'partition-spec': Type.Optional(Type.Union([Anything, Type.Null()])),
  'write-order': Type.Optional(Type.Union([Anything, Type.Null()])),
  'stage-create': Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  properties: Type.Optional(Type.Union([Type.Record(Text, Type.Unknown()), Type.Null()])),
});
const Changes = {
  requirements: Type.Optional(Type.Array(Type.Object({ type: Text }), { maxItems: 1000 })),
  updates: Type.Optional(Type.Array(Type.Object({ action: Text }), { maxItems: 10_000 })),
};
export const CommitBody = Type.Object({ identifier: Type.Optional(Identifier), ...Changes });
export const TransactionBody = Type.Object({
  'table-changes': Type.Array(Type.Object({ identifier: Identifier, ...Changes }), { minItems: 1, maxItems: 100 }),
});
export const RegisterBody = Type.Object({
  name: Name,
  'metadata-location': Type.String({ minLength: 1, maxLength: 1000 }),
  overwrite: Type.Optional(Type.Boolean()),
});
export const RenameBody = Type.Object({ source: Identifier, destination: Identifier });
