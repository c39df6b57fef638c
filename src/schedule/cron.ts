import { CronExpressionParser } from 'cron-parser';
import type { CronExpression } from 'cron-parser';
import { Failure } from '../errors.ts';

/** A cron line, each field checked and written out as a list of numbers; `years` is null for every year. */
export interface Cron {
  /** Seconds, minutes, hours, days, months, weekdays, in the form that cron-parser reads. */
  readonly line: string;
  readonly years: readonly number[] | null;
}

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const second: Field = { name: 'second', least: 0, most: 59 };
const minute: Field = { name: 'minute', least: 0, most: 59 };
const hour: Field = { name: 'hour', least: 0, most: 23 };
const day: Field = { name: 'day of the month', least: 1, most: 31 };
const month: Field = { name: 'month', least: 1, most: 12, names: ['', ...MONTHS] };
const weekday: Field = { name: 'day of the week', least: 0, most: 7, names: WEEKDAYS };
const year: Field = { name: 'year', least: 1970, most: 2099 };

const layouts: Readonly<Record<number, readonly Field[]>> = {
  5: [minute, hour, day, month, weekday],
  6: [minute, hour, day, month, weekday, year],
  7: [second, minute, hour, day, month, weekday, year],
};

/** Reads 5 fields, 6 (with the year last) or 7 (with the second first and the year last); else throws `bad_request`. */
export function parseCron(text: string): Cron {
  const words = text.trim().toLowerCase().split(/\s+/);
  const layout = layouts[words.length];
  if (layout === undefined) throw refuse(`a cron line has 5, 6 or 7 fields, not ${words.length}`);
  const lists = new Map(layout.map((field, index) => [field, readField(field, words[index]!)]));
  const list = (field: Field, fallback: string): string => lists.get(field)?.join(',') ?? fallback;
  // "Every day" has to stay a star: with both day fields restricted, either of them is enough.
  const star = (field: Field): string => (words[layout.indexOf(field)] === '*' ? '*' : list(field, '*'));
  const line = [list(second, '0'), list(minute, '*'), list(hour, '*'), star(day), star(month), star(weekday)].join(' ');
  const years = words[layout.indexOf(year)];
  const cron = { line, years: years === undefined || years === '*' ? null : (lists.get(year) ?? null) };
  try {
    CronExpressionParser.parse(cron.line, { tz: 'UTC' });
  } catch {
    throw refuse('this day of the month does not exist in these months');
  }
  return cron;
}

/** The first instant after `after`; undefined when there is none any more. */
export function nextOfCron(cron: Cron, after: Date, zone: string): Date | undefined {
  let from = after;
  for (;;) {
    const next = step(CronExpressionParser.parse(cron.line, { currentDate: from, tz: zone }), 'next');
    if (next === undefined || cron.years === null) return next;
    const found = yearIn(next, zone);
    if (cron.years.includes(found)) return next;
    const later = cron.years.find((candidate) => candidate > found);
    if (later === undefined) return undefined;
    // Two days early, because the year begins at another instant in every zone; the loop looks at the year again.
    from = new Date(Math.max(next.getTime(), Date.UTC(later, 0, 1) - 2 * 86_400_000));
  }
}

/** The last instant at or before `at`; undefined when there is none. */
export function lastOfCron(cron: Cron, at: Date, zone: string): Date | undefined {
  let from = new Date(at.getTime() + 1);
  for (;;) {
    const last = step(CronExpressionParser.parse(cron.line, { currentDate: from, tz: zone }), 'prev');
    if (last === undefined || cron.years === null) return last;
    const found = yearIn(last, zone);
    if (cron.years.includes(found)) return last;
    const earlier = cron.years.findLast((candidate) => candidate < found);
    if (earlier === undefined) return undefined;
    from = new Date(Math.min(last.getTime(), Date.UTC(earlier + 1, 0, 1) + 2 * 86_400_000));
  }
}

function step(expression: CronExpression, direction: 'next' | 'prev'): Date | undefined {
  try {
    return expression[direction]().toDate();
  } catch {
    return undefined;
  }
}

function yearIn(instant: Date, zone: string): number {
  return Number(new Intl.DateTimeFormat('en-u-ca-iso8601', { year: 'numeric', timeZone: zone }).format(instant));
}

/** All numbers of a field, ascending. */
function readField(field: Field, text: string): readonly number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const { from, to, stride } = readPart(field, part);
    for (let number = from; number <= to; number += stride) numbers.add(field === weekday ? number % 7 : number);
  }
  return [...numbers].sort((one, other) => one - other);
}

function readPart(field: Field, part: string): { from: number; to: number; stride: number } {
  const [range = '', stepText, ...rest] = part.split('/');
  if (range === '' || rest.length > 0) throw refuse(`"${part}" is no ${field.name}`);
  const stride = stepText === undefined ? 1 : readNumber(field, stepText);
  const width = field.most - field.least + 1;
  if (stride < 1 || stride > width) throw refuse(`the step of "${part}" must be between 1 and ${width}`);
  if (range === '*') return { from: field.least, to: field === weekday ? 6 : field.most, stride };
  const [fromText = '', toText, ...more] = range.split('-');
  if (more.length > 0) throw refuse(`"${part}" is no ${field.name}`);
  const from = readValue(field, fromText);
  const to = toText === undefined ? (stepText === undefined ? from : field.most) : readValue(field, toText);
  if (from > to) throw refuse(`the range "${range}" of the ${field.name} is reversed`);
  return { from, to, stride };
}

function readValue(field: Field, text: string): number {
  const named = text === '' ? -1 : (field.names?.indexOf(text) ?? -1);
  const value = named === -1 ? readNumber(field, text) : named;
  if (value < field.least || value > field.most) {
    throw refuse(`the ${field.name} ${value} is not between ${field.least} and ${field.most}`);
  }
  return value;
}

function readNumber(field: Field, text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw refuse(`"${text}" is no ${field.name}`);
  return Number(text);
}

function refuse(reason: string): Failure {
  const message = `the frequency is not understood: ${reason}`;
  return new Failure('bad_request', message, { details: [{ field: 'frequency', reason }] });
}
