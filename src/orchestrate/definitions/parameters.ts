import type { Secrets } from '../../access/index.ts';
import type { ComponentSpec } from '../../components/kit/index.ts';
import { hideSecrets, MASK, type Secret } from '../component-runs/secrets.ts';
import type { TaskDefinition } from '../types.ts';
import { refuse } from './input/fields.ts';
import type { TaskParameters } from './types.ts';

type Json = Readonly<Record<string, unknown>>;
type Path = Secret['path'];

export interface ParameterRooms {
  readonly secrets: Secrets;
  readonly components: readonly ComponentSpec[];
}

/** Parameters that are to be kept for a task. */
export interface NewParameters {
  /** Id of the task: what is sealed can be opened for it only. */
  readonly id: number;
  /** Component id; by its schema, fields without a `#` are secret too. */
  readonly component: string | undefined;
  readonly parameters: Json;
  /** The stored task whose secrets the masks in the new parameters stand for. */
  readonly former: TaskDefinition | undefined;
  /** For messages, e.g. `tasks[0].actionParameters`. */
  readonly field: string;
}

/** Parameters of tasks with the secrets in them: sealed for the store, masked for people, in clear for components (5.7). */
export interface ParameterKeeper extends TaskParameters {
  /** Throws `bad_request` for a mask that nothing stored belongs to. */
  keep(given: NewParameters): Pick<TaskDefinition, 'actionParameters' | 'sealed'>;
}

export function createParameterKeeper({ secrets, components }: ParameterRooms): ParameterKeeper {
  const schemas = new Map(components.map((spec) => [spec.id, spec.schema]));
  const secretsOf = (task: TaskDefinition | undefined): readonly Secret[] =>
    task?.sealed === undefined ? [] : (JSON.parse(secrets.open(task.sealed, placeOf(task.id))) as Secret[]);
  const open = (task: TaskDefinition): Json => {
    const hidden = secretsOf(task);
    if (hidden.length === 0) return task.actionParameters;
    const clear = structuredClone(task.actionParameters) as Record<string, unknown>;
    for (const { path, value } of hidden) put(clear, path, value);
    return clear;
  };
  return {
    open,
    areSame: (task, sent) => isSame(sent ?? {}, open(task), task.actionParameters),
    keep({ id, component, parameters, former, field }) {
      const schema = component === undefined ? undefined : schemas.get(component);
      const { masked: actionParameters, secrets: found } = hideSecrets(parameters, schema);
      if (found.length === 0) return { actionParameters };
      const source = former && isElsewhere(parameters, former.actionParameters) ? undefined : former;
      const stored = new Map(secretsOf(source).map(({ path, value }) => [JSON.stringify(path), value]));
      const all = found.map(({ path, value }): Secret => {
        if (value !== MASK) return { path, value };
        const key = JSON.stringify(path);
        if (stored.has(key)) return { path, value: stored.get(key) };
        throw refuse(nameOf(field, path), 'it is masked and no stored value belongs to it; send the real value');
      });
      return { actionParameters, sealed: secrets.seal(JSON.stringify(all), placeOf(id)) };
    },
  };
}

/** Whether the `url` of parameters leads to another server: what was a secret of the former is not for that one. */
function isElsewhere({ url }: Json, { url: former }: Json): boolean {
  const originOf = (text: unknown): unknown =>
    typeof text === 'string' && URL.canParse(text) ? new URL(text).origin : text;
  return originOf(url) !== originOf(former);
}

function placeOf(taskId: number): string {
  return `orchestration task ${taskId}`;
}

function nameOf(field: string, path: Path): string {
  return path.reduce<string>(
    (name, step) => (typeof step === 'number' ? `${name}[${step}]` : `${name}.${step.slice(0, 100)}`),
    field,
  );
}

function put(target: unknown, path: Path, value: unknown): void {
  const inner = path.slice(0, -1).reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], target);
  (inner as Record<string | number, unknown>)[path.at(-1)!] = value;
}

/** Deep equality in which `[]` equals `{}`, and a mask equals the secret that is shown as one. */
function isSame(sent: unknown, clear: unknown, shown: unknown): boolean {
  if (sent === MASK && shown === MASK) return true;
  if (isEmpty(sent) && isEmpty(clear)) return true;
  if (Array.isArray(sent) || Array.isArray(clear)) {
    if (!Array.isArray(sent) || !Array.isArray(clear) || sent.length !== clear.length) return false;
    const inside: unknown[] = Array.isArray(shown) ? shown : [];
    return sent.every((inner, index) => isSame(inner, clear[index], inside[index]));
  }
  if (!isObject(sent) || !isObject(clear)) return sent === clear;
  const keys = Object.keys(sent);
  const inside = isObject(shown) ? shown : {};
  return (
    keys.length === Object.keys(clear).length &&
    keys.every((key) => Object.hasOwn(clear, key) && isSame(sent[key], clear[key], inside[key]))
  );
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
