import { failureKinds } from '../../errors.ts';
import { exceptionIdOf } from '../component-runs/adapter.ts';
import { createMasker, secretTextsOf } from '../component-runs/secrets.ts';
import type { TaskParameters } from '../definitions/index.ts';
import { BEGIN, type TaskInput } from '../jobs/plan.ts';
import type { TaskDefinition, TaskEnd } from '../types.ts';
import { oneLine } from './plain.ts';
import type { AlertTask, AlertTaskRow } from './types.ts';

const LONGEST_NAME = 100;
const LONGEST_MESSAGE = 500;
const USUAL_ADVICE = 'Look at the events of the job; once the reason is mended, retry the job from the failed task.';
const PARAMETER_ADVICE =
  'Correct the parameters of the task, then start the orchestration again: a retry repeats the old ones.';

/** A task as alerts name it: neither its answer nor its secrets, and of an address only the host. */
export function toAlertTask(row: AlertTaskRow, parameters: Pick<TaskParameters, 'open'>): AlertTask {
  const { definition, position } = (row.input ?? {}) as Partial<TaskInput>;
  return {
    position: position === undefined ? null : position + 1,
    name: definition === undefined ? BEGIN : oneLine(nameOf(definition), LONGEST_NAME),
    message: oneLine(hideSecrets(messageOf(row), definition, parameters), LONGEST_MESSAGE),
    advice: oneLine(adviceOf(row), LONGEST_MESSAGE),
  };
}

function nameOf({ component, componentUrl }: TaskDefinition): string {
  if (component !== undefined) return component;
  return URL.canParse(componentUrl) ? new URL(componentUrl).host : 'componentUrl';
}

function messageOf({ output, error, runId }: AlertTaskRow): string {
  const said = (output as Partial<TaskEnd> | null)?.message;
  if (typeof said === 'string' && said !== '') return said;
  if (error?.kind === 'internal') return `Application error. Look for ${exceptionIdOf(runId)} in the server's log.`;
  return error?.message ?? '';
}

function hideSecrets(
  message: string,
  definition: TaskDefinition | undefined,
  parameters: Pick<TaskParameters, 'open'>,
): string {
  if (definition?.sealed === undefined) return message;
  try {
    return createMasker(secretTextsOf(parameters.open(definition), {})).text(message);
  } catch {
    // Sealed with another key: what is not known cannot be looked for.
    return 'What it said is not shown: its secrets cannot be opened any more.';
  }
}

/** What began below knows best; the task itself only says that something ended badly. */
function adviceOf({ error, childError }: AlertTaskRow): string {
  // Advice on requests is not for readers of mails.
  if (childError !== null) return childError.kind === 'bad_request' ? PARAMETER_ADVICE : childError.advice;
  if (error === null || error.kind === 'unprocessable' || error.kind === 'cancelled') return USUAL_ADVICE;
  return error.advice === failureKinds.internal.advice ? USUAL_ADVICE : error.advice;
}

/** Causes that differ only in numbers and ids are the same. */
export function causeKeyOf({ name, message }: Pick<AlertTask, 'name' | 'message'>): string {
  const general = message.replace(/penstock-[0-9a-f]{32}/g, '#').replace(/\d+/g, '#');
  return `${name}: ${general}`;
}
