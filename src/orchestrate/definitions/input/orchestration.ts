import { toFailure } from '../../../errors.ts';
import type { Outbound } from '../../../outbound/index.ts';
import { checkZone } from '../../../schedule/index.ts';
import { checkCrontab } from '../../schedules/crontab.ts';
import type { NotificationRule, Orchestration } from '../../types.ts';
import type { Sent } from '../types.ts';
import { readFlag, readText, refuse } from './fields.ts';
import { readNotifications } from './notifications.ts';
import { readTasks, type NewTask } from './tasks.ts';

/** The fields of an orchestration that were sent, checked; a field that was not sent is not there. */
export interface Fields {
  readonly name?: string;
  readonly crontab?: string | null;
  readonly zone?: string;
  readonly overlap?: Orchestration['overlap'];
  readonly catchUp?: Orchestration['catchUp'];
  readonly active?: boolean;
  readonly tokenId?: number;
  readonly tasks?: readonly NewTask[];
  readonly notifications?: readonly NotificationRule[];
}

export interface Reading {
  readonly outbound: Pick<Outbound, 'checkUrl'>;
  readonly now: Date;
}

const LONGEST_NAME = 255;
const OVERLAPS = ['enqueue', 'coalesce', 'skip', 'cancelRunning'] as const;
const CATCH_UPS = ['none', 'one', 'all'] as const;

/** The settings beyond the original, and what they are when nobody says. */
export const USUAL = { zone: 'UTC', overlap: 'coalesce', catchUp: 'one' } as const;

/**
 * Checks what was sent of an orchestration (keboola contract 5.1); throws `bad_request` naming the first field that is
 * wrong. Lists and a token that are null count as not sent; unknown fields are not looked at.
 */
export function readFields(sent: Sent, { outbound, now }: Reading): Fields {
  const readers: { readonly [Key in keyof Fields]: (value: unknown) => Fields[Key] } = {
    name: (value) => readName(value),
    crontab: (value) => readCrontab(value, now),
    zone: (value) => readZone(value),
    overlap: (value) => readWord(value, 'overlap', OVERLAPS),
    catchUp: (value) => readWord(value, 'catchUp', CATCH_UPS),
    active: (value) => readFlag(value, 'active'),
    tokenId: (value) => readTokenId(value),
    tasks: (value) => readTasks(value, 'tasks', outbound),
    notifications: (value) => readNotifications(value, 'notifications', outbound),
  };
  const fields: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(readers)) {
    const value = sent[key === 'crontab' ? 'crontabRecord' : key];
    if (value === undefined || (value === null && LENIENT.has(key))) continue;
    fields[key] = read(value);
  }
  return fields as Fields;
}

const LENIENT = new Set(['tokenId', 'tasks', 'notifications']);

function readName(value: unknown): string {
  return readText(typeof value === 'string' ? value.trim() : value, 'name', LONGEST_NAME);
}

function readCrontab(value: unknown, now: Date): string | null {
  if (value === null) return null;
  if (typeof value !== 'string') throw refuse('crontabRecord', 'must be text or null');
  try {
    checkCrontab(value, now);
  } catch (thrown) {
    throw refuse('crontabRecord', toFailure(thrown).details[0]?.reason ?? 'is not understood');
  }
  return value.trim();
}

function readZone(value: unknown): string {
  if (value === null) return USUAL.zone;
  const zone = readText(value, 'zone', LONGEST_NAME);
  try {
    checkZone(zone);
  } catch (thrown) {
    throw refuse('zone', toFailure(thrown).message);
  }
  return zone;
}

function readWord<Word extends string, Key extends 'overlap' | 'catchUp'>(
  value: unknown,
  key: Key,
  words: readonly Word[],
): Word {
  if (value === null) return USUAL[key] as string as Word;
  const word = words.find((known) => known === value);
  if (word === undefined) throw refuse(key, `must be one of ${words.join(', ')}`);
  return word;
}

function readTokenId(value: unknown): number {
  const id = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof id === 'number' && Number.isSafeInteger(id) && id > 0) return id;
  throw refuse('tokenId', 'must be the id of a token');
}
