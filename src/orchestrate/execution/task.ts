import type { AttemptResult, Component } from '../../engine/index.ts';
import { Failure, toFailure, type FailureKind } from '../../errors.ts';
import { checkMayCall } from '../component-runs/runs.ts';
import { readOrchestrationId } from '../jobs/ask.ts';
import { TASK, type TaskInput } from '../jobs/plan.ts';
import { readTokensOf } from '../jobs/tables.ts';
import type { TaskEnd } from '../types.ts';
import { runBuiltIn } from './built-in.ts';
import { errorEnd } from './children.ts';
import { gather } from './gather.ts';
import { startLimit } from './limit.ts';
import { runNested } from './nested.ts';
import { readOwnAddress, type OwnCall } from './own-address.ts';
import { callRemote } from './remote.ts';
import type { ExecutionRooms, Step } from './types.ts';

/** A kill reaches its end within 40 s, whatever the component does (7.9). */
const GRACE_MS = 40_000;

/**
 * Executes one task of a job: finds what it calls, starts it, and waits for its end. It takes no slot. A later attempt
 * goes on with what an earlier one has started.
 */
export function createTaskComponent(rooms: ExecutionRooms): Component {
  const actsWith = gather((runIds: readonly string[]) => readActing(rooms, runIds));
  return {
    name: TASK,
    waits: true,
    graceMs: GRACE_MS,
    async execute(attempt) {
      const input = attempt.task.input as TaskInput;
      const limit = startLimit(attempt, input.definition.timeoutMinutes, {
        now: () => rooms.world.now(),
        minuteMs: rooms.minuteMs,
      });
      try {
        const { position, definition } = input;
        const name = `Task ${position + 1} (${definition.component ?? definition.componentUrl})`;
        if (attempt.number === 1) attempt.log('info', `${name} has begun`);
        const parameters = rooms.definitions.parameters.open(definition);
        const acting = (await attempt.reading(() => actsWith(attempt.run.id))) ?? { tokenId: 0, token: undefined };
        const end = await callAndTell(rooms, { ...input, attempt, signal: limit.signal, ...acting, parameters });
        rooms.world.reach('orchestrate.task-ended');
        attempt.log(
          end.status === 'success' ? 'info' : 'warn',
          `${name} ended with ${end.status}${end.message === undefined ? '' : `: ${end.message}`}`,
        );
        return toResult(end);
      } finally {
        limit.clear();
      }
    },
  };
}

type Acting = Pick<Step, 'tokenId' | 'token'>;

async function readActing(
  { store, tokens }: ExecutionRooms,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, Acting>> {
  const ids = await readTokensOf(store.db, runIds);
  const described = await tokens.describe([...ids.values()]);
  return new Map([...ids].map(([runId, tokenId]) => [runId, { tokenId, token: described.get(tokenId) }]));
}

/** Mistakes of people and refusals: the task ends with their sentence. All others are the engine's to deal with. */
const TOLD: readonly FailureKind[] = [
  'bad_request',
  'not_found',
  'conflict',
  'forbidden',
  'unprocessable',
  'configuration_invalid',
  'object_missing',
];

async function callAndTell(rooms: ExecutionRooms, step: Step): Promise<TaskEnd> {
  try {
    return await call(rooms, step);
  } catch (thrown) {
    const failure = toFailure(thrown);
    if (step.signal.aborted) return endOfAborted(step);
    if (!TOLD.includes(failure.kind)) throw failure;
    return errorEnd(failure.message);
  }
}

/** The signal aborted before anything was started, or another attempt goes on with it. */
function endOfAborted({ signal, attempt }: Step): TaskEnd {
  const reason = toFailure(signal.reason);
  if (attempt.signal.aborted || reason.kind !== 'timed_out') throw reason;
  return errorEnd(reason.message);
}

async function call(rooms: ExecutionRooms, step: Step): Promise<TaskEnd> {
  const { component, action, componentUrl } = step.definition;
  if (component === undefined) return callAddress(rooms, step, componentUrl);
  const found = rooms.catalog.find(component);
  if (found === undefined) throw new Failure('not_found', `Component '${component}' is not registered`);
  checkAccess(step, component);
  if (found.kind === 'remote') return callRemote(rooms, step, `${found.url.replace(/\/+$/, '')}/${action}`);
  if (action !== 'run') {
    throw new Failure('bad_request', `Component '${component}' has no action '${action}'; the action is 'run'`);
  }
  if (found.kind === 'built-in') return runBuiltIn(rooms, step, { spec: found.spec, envelope: false });
  return runNested(rooms, step, { orchestrationId: readOrchestrationId(step.parameters), isTrigger: false });
}

async function callAddress(rooms: ExecutionRooms, step: Step, url: string): Promise<TaskEnd> {
  const own = readOwnAddress(url, { origins: rooms.ownOrigins(), publicUrl: rooms.config.publicUrl });
  if (own !== undefined) return callSelf(rooms, step, own);
  checkAccess(step, url);
  return callRemote(rooms, step, url);
}

/** What would be a request to this server is done here: rows, ids and answers are the same. */
async function callSelf(rooms: ExecutionRooms, step: Step, own: OwnCall): Promise<TaskEnd> {
  if (own.kind === 'run') {
    return runNested(rooms, step, { orchestrationId: readOrchestrationId(step.parameters), isTrigger: false });
  }
  if (own.kind === 'job') return runNested(rooms, step, own);
  const { component, envelope } = own;
  const found = rooms.catalog.find(component);
  if (found?.kind === 'orchestrator') {
    return runNested(rooms, step, { orchestrationId: readOrchestrationId(step.parameters), isTrigger: false });
  }
  if (found?.kind !== 'built-in') throw new Failure('not_found', `Component '${component}' not found`);
  checkAccess(step, component);
  return runBuiltIn(rooms, step, { spec: found.spec, envelope });
}

/** The token bound to the orchestration may be limited to some components (3). */
function checkAccess({ token }: Step, component: string): void {
  if (token !== undefined) checkMayCall(token, component);
}

/** Whatever is not a success is a failure of the task (7.5). */
function toResult(end: TaskEnd): AttemptResult {
  if (end.status === 'success') return { outcome: 'succeeded', output: end };
  const kind = end.status === 'terminated' || end.status === 'cancelled' ? 'cancelled' : 'unprocessable';
  return { outcome: 'failed', failure: new Failure(kind, end.message ?? `ended with ${end.status}`), output: end };
}
