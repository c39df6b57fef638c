import { Failure } from '../errors.ts';
import { lastOfCron, nextOfCron, parseCron } from './cron.ts';
import type { Cron } from './cron.ts';

/** How often something happens. */
export type Frequency =
  /** Only when asked. */
  | { readonly kind: 'manual' }
  | { readonly kind: 'cron'; readonly cron: Cron }
  /** Every `count` units, counted from a fixed instant, in UTC whatever the zone. */
  | { readonly kind: 'every'; readonly count: number; readonly unit: Unit };

type Unit = 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year';

const macros: Readonly<Record<string, string>> = {
  hourly: '0 * * * *',
  daily: '0 0 * * *',
  weekly: '0 0 * * 0',
  monthly: '0 0 1 * *',
  yearly: '0 0 1 1 *',
};

const unitMs = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 7 * 86_400_000 };
const letters: Readonly<Record<string, Unit>> = { s: 'second', m: 'minute', h: 'hour' };
/** Weeks begin on Sunday: the first one of the epoch is 1970-01-04. */
const FIRST_SUNDAY_MS = 3 * 86_400_000;
const LONGEST_TEXT = 1000;

/**
 * Reads a frequency in any case: cron with 5, 6 (year last) or 7 fields (second first, year last), `@hourly` and its
 * kin with or without the @, `@every 90s`, `15-minutes`, `manual`. Throws `bad_request` with the reason.
 */
export function parseFrequency(text: string): Frequency {
  const words = text.trim().toLowerCase();
  if (words.length > LONGEST_TEXT) throw refuse('it is too long');
  if (words === '') throw refuse('it is empty');
  if (words === 'manual') return { kind: 'manual' };
  const macro = /^@?([a-z]+)$/.exec(words)?.[1];
  if (macro !== undefined && Object.hasOwn(macros, macro)) return { kind: 'cron', cron: parseCron(macros[macro]!) };
  const every = /^@every\s+(\d+)([smh])$/.exec(words);
  if (every) return { kind: 'every', count: readCount(every[1]!), unit: letters[every[2]!]! };
  const distance = /^(\d+)-(minute|hour|day|week|month|year)s?$/.exec(words);
  if (distance) return { kind: 'every', count: readCount(distance[1]!), unit: distance[2] as Unit };
  if (!/\s/.test(words)) throw refuse(`"${words.slice(0, 40)}" is neither a cron line nor a known word`);
  return { kind: 'cron', cron: parseCron(words) };
}

/** The first instant after `after`; undefined when there is none. `zone` (IANA, default UTC) applies to cron lines. */
export function nextFire(frequency: Frequency, after: Date, zone = 'UTC'): Date | undefined {
  if (frequency.kind === 'manual') return undefined;
  if (frequency.kind === 'cron') return nextOfCron(frequency.cron, after, zone);
  return instantOf(frequency, indexAt(frequency, after) + 1);
}

/** The last instant at or before `at`; undefined when there is none. */
export function lastFire(frequency: Frequency, at: Date, zone = 'UTC'): Date | undefined {
  if (frequency.kind === 'manual') return undefined;
  if (frequency.kind === 'cron') return lastOfCron(frequency.cron, at, zone);
  return instantOf(frequency, indexAt(frequency, at));
}

/** The first `count` instants after `after`; fewer when they end. */
export function nextFires(
  frequency: Frequency,
  count: number,
  from: { readonly after: Date; readonly zone?: string },
): readonly Date[] {
  const fires: Date[] = [];
  let next: Date | undefined = from.after;
  while (fires.length < count) {
    next = nextFire(frequency, next, from.zone);
    if (next === undefined) break;
    fires.push(next);
  }
  return fires;
}

/** Throws `bad_request` when the zone is not one that this server knows. */
export function checkZone(zone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format(0);
  } catch {
    throw new Failure('bad_request', `the time zone "${zone}" is not known`);
  }
}

type Every = Frequency & { kind: 'every' };

/** Which multiple of the distance is the last one at or before this instant. */
function indexAt({ count, unit }: Every, at: Date): number {
  if (unit === 'month' || unit === 'year') {
    const months = (at.getUTCFullYear() - 1970) * 12 + at.getUTCMonth();
    return Math.floor(months / (unit === 'month' ? count : count * 12));
  }
  const anchor = unit === 'week' ? FIRST_SUNDAY_MS : 0;
  return Math.floor((at.getTime() - anchor) / (unitMs[unit] * count));
}

function instantOf({ count, unit }: Every, index: number): Date | undefined {
  const instant =
    unit === 'month' || unit === 'year'
      ? new Date(Date.UTC(1970, index * count * (unit === 'month' ? 1 : 12), 1))
      : new Date((unit === 'week' ? FIRST_SUNDAY_MS : 0) + index * count * unitMs[unit]);
  return Number.isNaN(instant.getTime()) ? undefined : instant;
}

function readCount(text: string): number {
  const count = Number(text);
  if (count < 1 || !Number.isSafeInteger(count)) throw refuse('the number must be at least 1');
  return count;
}

function refuse(reason: string): Failure {
  const message = `the frequency is not understood: ${reason}`;
  return new Failure('bad_request', message, { details: [{ field: 'frequency', reason }] });
}
