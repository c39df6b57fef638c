import { Failure } from '../../errors.ts';
import { checkStorable, isObject, parseJson } from './json.ts';
import type { FormText, JsonForm } from './types.ts';

export interface ReadForm extends FormText {
  readonly value: unknown;
}

/** Reads a JSON object sent as an object or as a string; anything else is `bad_request`. */
export function readObjectForm(sent: unknown, field: string): ReadForm & { readonly value: Record<string, unknown> } {
  const read = readEither(sent, field);
  if (!isObject(read.value)) throw new Failure('bad_request', `${field} must be a JSON object or a string holding one`);
  return { ...read, value: read.value };
}

/** As `readObjectForm`, and arrays are welcome too. */
export function readForm(sent: unknown, field: string): ReadForm {
  const read = readEither(sent, field);
  if (!isObject(read.value) && !Array.isArray(read.value)) {
    throw new Failure('bad_request', `${field} must be a JSON object or array, or a string holding one`);
  }
  return read;
}

function readEither(sent: unknown, field: string): ReadForm {
  if (typeof sent === 'string') return { form: 'string', text: sent, value: parseJson(sent, field) };
  const text = JSON.stringify(sent) ?? 'null';
  checkStorable(sent, text, field);
  return { form: 'object', text, value: sent };
}

/** A stored value in the form it was written, or in the form that is asked for. */
export function showForm(stored: FormText, asked?: JsonForm): unknown {
  return (asked ?? stored.form) === 'string' ? stored.text : parseJson(stored.text, 'stored value');
}
