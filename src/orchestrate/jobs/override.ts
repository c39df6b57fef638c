import { Failure } from '../../errors.ts';
import type { TaskParameters } from '../definitions/types.ts';
import type { TaskDefinition } from '../types.ts';

/** What must not differ, in the order in which a difference is told. */
const COMPARED = [
  'component',
  'componentUrl',
  'action',
  'actionParameters',
  'continueOnFailure',
  'timeoutMinutes',
] as const;
type Compared = (typeof COMPARED)[number];

/** One task of the override as it came; nothing of it is checked yet. */
export type SentTask = Readonly<Record<string, unknown>>;

/**
 * The tasks with `active` as the override says (4.6). Throws `unprocessable`, naming task and field, when the override is
 * not the same list: nothing else may differ; `id`, `phase` and unknown fields are not looked at.
 */
export function applyOverride(
  tasks: readonly TaskDefinition[],
  sent: readonly SentTask[],
  areSame: TaskParameters['areSame'],
): readonly TaskDefinition[] {
  if (sent.length !== tasks.length) {
    const counts = `${sent.length} instead of ${tasks.length}`;
    throw new Failure('unprocessable', `The number of tasks is different from orchestration tasks (${counts})`);
  }
  return tasks.map((stored, position) => {
    const given = sent[position] ?? {};
    const isSame = (field: Compared): boolean =>
      field === 'actionParameters' ? areSame(stored, given[field]) : isSameSetting(field, stored, given);
    const different = COMPARED.find((field) => !isSame(field));
    if (different !== undefined) {
      throw new Failure('unprocessable', `Task ${position + 1} is different from orchestration task (${different})`);
    }
    return { ...stored, active: readActive(given['active'], position) ?? stored.active };
  });
}

function isSameSetting(field: Exclude<Compared, 'actionParameters'>, stored: TaskDefinition, sent: SentTask): boolean {
  const given = sent[field] ?? undefined;
  switch (field) {
    case 'component':
      return given === stored.component;
    case 'componentUrl':
      return given === stored.componentUrl || isSameUrl(given, stored.componentUrl);
    case 'action':
      return stored.component === undefined || (given ?? 'run') === stored.action;
    case 'continueOnFailure':
      return given === undefined || readFlag(given) === stored.continueOnFailure;
    case 'timeoutMinutes':
      return !Object.hasOwn(sent, field) || (given === 0 ? null : (given ?? null)) === stored.timeoutMinutes;
  }
}

/** An address is stored normalised: one that normalises to it is the same. */
function isSameUrl(given: unknown, stored: string | undefined): boolean {
  return typeof given === 'string' && stored !== undefined && URL.canParse(given) && new URL(given).href === stored;
}

function readFlag(value: unknown): boolean | undefined {
  if (value === true || value === 1) return true;
  return value === false || value === 0 ? false : undefined;
}

function readActive(value: unknown, position: number): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  const flag = readFlag(value);
  if (flag === undefined) throw new Failure('bad_request', `tasks[${position}].active: true or false is expected`);
  return flag;
}
