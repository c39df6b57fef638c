import { Failure } from '../../errors.ts';
import { instantOf, offsetAt } from './zones.ts';

/** A crontab record that was read: which minutes, and on which days. */
interface Crontab {
  /** Minutes of the day, ascending. */
  readonly times: readonly number[];
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
}

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: ['', ...MONTHS] },
  { name: 'day of the week', least: 0, most: 7, names: WEEKDAYS },
];

const MACROS: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const LONGEST_TEXT = 255;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Four years and the days around them in other zones. */
const HORIZON_DAYS = 4 * 366;

/**
 * Throws `bad_request` unless the text is a crontab record of five fields, or one of the macros (keboola contract 7.1),
 * with an instant within four years of `from`.
 */
export function checkCrontab(text: string, from: Date): void {
  if (nextTicks(text, { after: from, zone: 'UTC', count: 1 }).length === 0) {
    throw refuse('it names no day within four years');
  }
}

/**
 * The first `count` instants after `after`; fewer when there are none within four years of the one before. In a zone with
 * changes of the clock, a local time that is skipped stands for the instant right after the gap, and one that comes twice
 * for the first. Throws `bad_request` for text that is no crontab record.
 */
export function nextTicks(
  text: string,
  from: { readonly after: Date; readonly zone: string; readonly count: number },
): readonly Date[] {
  const crontab = readCrontab(text);
  const ticks: Date[] = [];
  let after = from.after.getTime();
  while (ticks.length < from.count) {
    const tick = nextTick(crontab, after, from.zone);
    if (tick === undefined) break;
    ticks.push(new Date(tick));
    after = tick;
  }
  return ticks;
}

/** The latest instant at or before `at`; undefined when there is none in the four years before. */
export function lastTick(text: string, { at, zone }: { readonly at: Date; readonly zone: string }): Date | undefined {
  const crontab = readCrontab(text);
  const latest = at.getTime();
  const today = localDay(latest, zone) + DAY_MS;
  for (let back = 0; back <= HORIZON_DAYS; back++) {
    const day = today - back * DAY_MS;
    if (!isOn(crontab, day)) continue;
    const tick = instantsOf(crontab, day, zone).findLast((instant) => instant <= latest);
    if (tick !== undefined) return new Date(tick);
  }
  return undefined;
}

function nextTick(crontab: Crontab, after: number, zone: string): number | undefined {
  // A day early: a gap at midnight moves a time to the day behind it.
  const start = localDay(after, zone) - DAY_MS;
  for (let ahead = 0; ahead <= HORIZON_DAYS; ahead++) {
    const day = start + ahead * DAY_MS;
    if (!isOn(crontab, day)) continue;
    const tick = instantsOf(crontab, day, zone).find((instant) => instant > after);
    if (tick !== undefined) return tick;
  }
  return undefined;
}

/** Midnight of the local day of an instant, written as if the zone were UTC. */
function localDay(instant: number, zone: string): number {
  return Math.floor((instant + offsetAt(instant, zone)) / DAY_MS) * DAY_MS;
}

function isOn(crontab: Crontab, day: number): boolean {
  const date = new Date(day);
  if (!crontab.months.has(date.getUTCMonth() + 1)) return false;
  const isDay = crontab.days.has(date.getUTCDate());
  const isWeekday = crontab.weekdays.has(date.getUTCDay());
  const isEither = crontab.days.size < 31 && crontab.weekdays.size < 7;
  return isEither ? isDay || isWeekday : isDay && isWeekday;
}

/** The instants of a local day, ascending. */
function instantsOf(crontab: Crontab, day: number, zone: string): readonly number[] {
  const offset = offsetAt(day - DAY_MS / 2, zone);
  if (zone === 'UTC' || offset === offsetAt(day + 1.5 * DAY_MS, zone)) {
    return crontab.times.map((minute) => day + minute * MINUTE_MS - offset);
  }
  const instants = crontab.times.map((minute) => instantOf(day + minute * MINUTE_MS, zone));
  return [...new Set(instants)].toSorted((one, other) => one - other);
}

const readBefore = new Map<string, Crontab>();
const MOST_KEPT = 20_000;

function readCrontab(text: string): Crontab {
  const known = readBefore.get(text);
  if (known) return known;
  const crontab = parse(text);
  if (readBefore.size >= MOST_KEPT) readBefore.clear();
  readBefore.set(text, crontab);
  return crontab;
}

/** The record in five fields, in lower case: a macro as what it stands for. Throws `bad_request` for an unknown one. */
export function fieldsOf(text: string): string {
  const words = text.replaceAll(/^[ \t]+|[ \t]+$/g, '').toLowerCase();
  if (!words.startsWith('@')) return words;
  if (Object.hasOwn(MACROS, words)) return MACROS[words]!;
  throw refuse(`the macros are ${Object.keys(MACROS).join(', ')}`);
}

function parse(text: string): Crontab {
  if (text.length > LONGEST_TEXT) throw refuse(`it is longer than ${LONGEST_TEXT} characters`);
  const words = fieldsOf(text);
  if (words === '') throw refuse('it is empty');
  const parts = words.split(/[ \t]+/);
  if (parts.length !== FIELDS.length) throw refuse(`it has ${parts.length} fields instead of five`);
  const [minutes, hours, days, months, weekdays] = FIELDS.map((field, index) => readField(field, parts[index]!));
  return {
    times: ascending(hours!).flatMap((hour) => ascending(minutes!).map((minute) => hour * 60 + minute)),
    days: days!,
    months: months!,
    weekdays: new Set([...weekdays!].map((weekday) => weekday % 7)),
  };
}

function ascending(numbers: ReadonlySet<number>): readonly number[] {
  return [...numbers].toSorted((one, other) => one - other);
}

function readField(field: Field, text: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const { from, to, step } = readPart(field, part);
    for (let number = from; number <= to; number += step) numbers.add(number);
  }
  return numbers;
}

function readPart(field: Field, part: string): { from: number; to: number; step: number } {
  const [, range, stepText] = /^(\*|[a-z0-9]+(?:-[a-z0-9]+)?)(?:\/(\d{1,4}))?$/.exec(part) ?? [];
  if (range === undefined) throw refuse(`"${show(part)}" is no ${field.name}`);
  const step = stepText === undefined ? 1 : Number(stepText);
  const widest = field.most - field.least + 1;
  if (step < 1 || step > widest) throw refuse(`the step of "${part}" has to be from 1 to ${widest}`);
  if (range === '*') return { from: field.least, to: field.most, step };
  const [fromText = '', toText] = range.split('-');
  const from = readValue(field, fromText);
  const open = stepText === undefined ? from : field.most;
  const to = toText === undefined ? open : readValue(field, toText);
  if (from > to) throw refuse(`the range "${range}" of the ${field.name} is reversed`);
  return { from, to, step };
}

function readValue(field: Field, text: string): number {
  const named = field.names?.indexOf(text) ?? -1;
  if (named === -1 && !/^\d{1,4}$/.test(text)) throw refuse(`"${show(text)}" is no ${field.name}`);
  const value = named === -1 ? Number(text) : named;
  if (value < field.least || value > field.most) {
    throw refuse(`the ${field.name} ${value} is not from ${field.least} to ${field.most}`);
  }
  return value;
}

function show(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 40);
}

function refuse(reason: string): Failure {
  const message = `the crontab record is not understood: ${reason}`;
  return new Failure('bad_request', message, { details: [{ field: 'crontabRecord', reason }] });
}
