import { Failure } from '../../errors.ts';

/** What the administrator of this server lets a component start. */
export interface AllowList {
  /** The setting that holds it. */
  readonly setting: string;
  readonly entries: readonly string[];
  /** The parameter that names an entry. */
  readonly parameter: string;
  readonly noun: 'program' | 'image';
}

/** Why a component that starts nothing but listed things is off; null when something is listed. */
export function isOffWithout({ setting, entries, noun }: AllowList): string | null {
  return entries.length > 0 ? null : `Switched off: ${setting} of this server allows no ${noun}.`;
}

/** Throws `bad_request` unless `asked` is an entry letter by letter: no other spelling of it, no options or arguments in it. */
export function refuseUnlisted({ setting, entries, parameter, noun }: AllowList, asked: string): void {
  if (entries.includes(asked) && !asked.startsWith('-')) return;
  throw new Failure(
    'bad_request',
    `Parameter '${parameter}': ${JSON.stringify(asked)} is none of the allowed ${noun}s`,
    { advice: `Ask the administrator to add it to ${setting}.` },
  );
}
