import { refuse } from './definitions/input/fields.ts';

const LONGEST_EMAIL = 254;
const LOCAL = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}$/;
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Whether the text is one mail address as it stands in the envelope of a mail: no name, no list, no line break. */
export function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 1 || text.length > LONGEST_EMAIL) return false;
  const local = text.slice(0, at);
  const isLocal = LOCAL.test(local) && !local.startsWith('.') && !local.endsWith('.') && !local.includes('..');
  return (
    isLocal &&
    text
      .slice(at + 1)
      .split('.')
      .every((label) => LABEL.test(label))
  );
}

/** One mail address; throws `bad_request` naming the field. */
export function readEmail(value: unknown, field: string): string {
  if (typeof value === 'string' && isEmail(value)) return value;
  throw refuse(field, 'must be one e-mail address');
}
