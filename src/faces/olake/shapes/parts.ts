import { Type, type TSchema } from 'typebox';

/** Small pieces that the shapes of answers are made of. Answers are documented by shapes, never checked or changed. */

/** A shape of the document's `components`, by its name. */
export function ref(name: string): TSchema {
  return Type.Ref(`${name}#`) as TSchema;
}

export function text(description?: string): TSchema {
  return Type.String(description === undefined ? {} : { description });
}

export function word(words: readonly string[], description?: string): TSchema {
  return Type.Enum([...words], description === undefined ? {} : { description });
}

export function time(description?: string): TSchema {
  return Type.String({ format: 'date-time', ...(description !== undefined && { description }) });
}

/** A whole number that is not negative. */
export function count(description?: string): TSchema {
  return Type.Integer({ minimum: 0, ...(description !== undefined && { description }) });
}

export function mapOf(values: TSchema, description: string): TSchema {
  return Type.Unsafe({ type: 'object', additionalProperties: values, description });
}

export const anyObject = Type.Unsafe({ type: 'object' });
export const rowId = Type.Integer({ minimum: 1 });
export const name = Type.Object({ name: text() });

/** A config in the form in which it was last written. */
export const config = Type.Union([anyObject, Type.String()], {
  description: 'A JSON object, or a string that holds one: the form in which it was last written.',
});
/** Streams in the form in which they were last written. */
export const streamsConfig = Type.Union([ref('Catalog'), Type.Array(Type.Unknown()), anyObject, Type.String()], {
  description: 'A catalog, or a string that holds one: the form in which it was last written. Drafts may be any JSON.',
});
/** Who wrote a row, and when. */
export const written = {
  created_at: time(),
  updated_at: time(),
  created_by: text('User name; empty when unknown.'),
  updated_by: text('User name; empty when unknown.'),
};
export const status = word(['Running', 'Completed', 'Failed', 'Canceled']);
/** Absent before the first run. */
export const lastRun = {
  last_run_time: Type.Optional(time('Absent before the first run.')),
  last_run_state: Type.Optional(status),
};
export const role = word(['admin', 'member', 'viewer']);
