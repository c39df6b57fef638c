import { toFailure } from '../../../errors.ts';
import type { Outbound } from '../../../outbound/index.ts';
import type { TaskDefinition } from '../../types.ts';
import { isObject, readFlag, readList, readObject, readText, readWhole, refuse } from './fields.ts';

/** A task as sent, checked, before it gets its id. */
export type NewTask = Omit<TaskDefinition, 'id' | 'sealed'> & {
  /** What the client says its id is; it finds the secrets that masks stand for. */
  readonly sentId: number | null;
};

const LONGEST_NAME = 255;
const LONGEST_URL = 2048;
const LONGEST_TIMEOUT = 10_080;
const DEEPEST = 64;
const ACTION = /^[A-Za-z0-9_./-]{1,128}$/;

/** Checks a list of tasks (keboola contract 5.2); throws `bad_request` naming the first field that is wrong. */
export function readTasks(sent: unknown, field: string, outbound: Pick<Outbound, 'checkUrl'>): readonly NewTask[] {
  return readList(sent, field).map((task, index) => readTask(task, `${field}[${index}]`, outbound));
}

function readTask(sent: unknown, field: string, outbound: Pick<Outbound, 'checkUrl'>): NewTask {
  if (!isObject(sent)) throw refuse(field, 'must be an object');
  return {
    ...readTarget(sent, field, outbound),
    sentId: typeof sent['id'] === 'number' ? sent['id'] : toNumber(sent['id']),
    actionParameters: readParameters(sent['actionParameters'], `${field}.actionParameters`),
    continueOnFailure: readFlag(sent['continueOnFailure'] ?? false, `${field}.continueOnFailure`),
    timeoutMinutes: readTimeout(sent['timeoutMinutes'], `${field}.timeoutMinutes`),
    active: readFlag(sent['active'] ?? true, `${field}.active`),
    phase: readPhase(sent['phase'], `${field}.phase`),
  } as NewTask;
}

function toNumber(id: unknown): number | null {
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : null;
}

type Json = Readonly<Record<string, unknown>>;

function readTarget(sent: Json, field: string, outbound: Pick<Outbound, 'checkUrl'>) {
  const component = sent['component'] ?? undefined;
  const url = sent['componentUrl'] ?? undefined;
  if (component === undefined && url === undefined) {
    throw refuse(field, 'one of component and componentUrl must be set');
  }
  if (component !== undefined && url !== undefined) {
    throw refuse(field, 'only one of component and componentUrl may be set');
  }
  if (url !== undefined) return { componentUrl: readUrl(url, `${field}.componentUrl`, outbound) };
  return {
    component: readText(component, `${field}.component`, LONGEST_NAME),
    action: readAction(sent['action'] ?? 'run', `${field}.action`),
  };
}

function readAction(value: unknown, field: string): string {
  if (typeof value === 'string' && ACTION.test(value) && !value.includes('..')) return value;
  throw refuse(field, 'must have 1 to 128 letters, digits, and characters of _./- without ..');
}

function readUrl(value: unknown, field: string, outbound: Pick<Outbound, 'checkUrl'>): string {
  const text = readText(value, field, LONGEST_URL);
  try {
    return outbound.checkUrl(text, { mayBeOwn: true });
  } catch (thrown) {
    const failure = toFailure(thrown);
    throw failure.status < 500 ? refuse(field, failure.message) : failure;
  }
}

function readParameters(value: unknown, field: string): Json {
  const parameters = readObject(value, field);
  if (isDeeper(parameters, DEEPEST)) throw refuse(field, `is nested deeper than ${DEEPEST} levels`);
  return parameters;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

function readTimeout(value: unknown, field: string): number | null {
  if (value === undefined || value === null || value === 0) return null;
  return readWhole(value, field, [1, LONGEST_TIMEOUT]);
}

function readPhase(value: unknown, field: string): string | null {
  if (value === undefined || value === null || value === '') return null;
  return readText(typeof value === 'number' ? String(value) : value, field, LONGEST_NAME);
}
