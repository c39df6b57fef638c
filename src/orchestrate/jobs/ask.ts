import { Failure } from '../../errors.ts';
import type { Sent } from '../definitions/index.ts';
import { readList, readObject } from '../definitions/input/fields.ts';
import { readEmail } from '../emails.ts';
import type { SentTask } from './override.ts';

/** What a start says besides which orchestration. */
export interface StartAsk {
  readonly emails: readonly string[];
  /** All tasks again; only `active` may differ. */
  readonly tasks?: readonly SentTask[];
}

/** Reads `notificationsEmails` and `tasks`; throws `bad_request` naming the field. Nothing and null are nobody and none. */
export function readStart(sent: Sent): StartAsk {
  const emails = readGiven(sent, 'notificationsEmails') ?? [];
  const tasks = readGiven(sent, 'tasks')?.map((task, position) => readObject(task, `tasks[${position}]`));
  return {
    emails: emails.map((email, position) => readEmail(email, `notificationsEmails[${position}]`)),
    ...(tasks !== undefined && { tasks }),
  };
}

function readGiven(sent: Sent, field: string): readonly unknown[] | undefined {
  const value = sent[field];
  return value === undefined || value === null ? undefined : readList(value, field);
}

/** The orchestration that `config` names. Throws `bad_request` unless it is a whole number, `not_found` when none can be. */
export function readOrchestrationId(sent: Sent): number {
  const value = sent['config'];
  const isText = typeof value === 'string' && value !== '';
  if (!isText && typeof value !== 'number') {
    throw new Failure('bad_request', 'config: the id of an orchestration is expected');
  }
  const id = Number(value);
  if (/^\d{1,16}$/.test(String(value)) && Number.isSafeInteger(id) && id > 0) return id;
  throw new Failure('not_found', `Orchestration ${String(value).slice(0, 100)} not found`);
}
