import { Failure } from '../errors.ts';

export type FormValue = string | Readonly<Record<string, string>>;

const MOST_FIELDS = 1000;

/**
 * The fields of a form by name. `a[x]=1` and `a[]=1` make `a` an object, as PHP writes arrays: the latter counts its
 * keys from 0. A name that is given twice keeps its last value.
 */
export function parseForm(text: string): Readonly<Record<string, FormValue>> {
  const fields = new Map<string, string | Map<string, string>>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    if (name.includes('\0') || value.includes('\0')) throw badForm('holds a NUL character');
    if (++count > MOST_FIELDS) throw badForm(`has more than ${MOST_FIELDS} fields`);
    const [, group, key] = /^([^[\]]+)\[([^\]]*)\]$/.exec(name) ?? [];
    if (group === undefined) fields.set(name, value);
    else {
      const known = fields.get(group);
      const members = known instanceof Map ? known : new Map<string, string>();
      members.set(key || String(members.size), value);
      fields.set(group, members);
    }
  }
  return toObject([...fields].map(([name, value]) => [name, value instanceof Map ? toObject([...value]) : value]));
}

/** Without the one key that is no ordinary key of an object. */
function toObject<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries.filter(([key]) => key !== '__proto__'));
}

function badForm(reason: string): Failure {
  return new Failure('bad_request', `The request body ${reason}.`, { details: [{ field: 'body', reason }] });
}
