import { Failure } from '../errors.ts';
import type { Transaction } from '../store/index.ts';
import { newId } from '../world.ts';
import { admissionSubject } from './admission.ts';
import { createBatches } from './batches.ts';
import { transact } from './context.ts';
import type { AfterCommit, EngineContext } from './context.ts';
import { dispatchTasks, topicsOf } from './dispatch.ts';
import { tellObservers } from './observers.ts';
import { findConflictingRun, insertRuns } from './tables/accept.ts';
import type { AcceptedRun, StoredRun } from './tables/accept.ts';
import type { Owner } from './tables/finish.ts';
import { toJson } from './tables/rows.ts';
import type { Labels, RetryRule, RunPlan, StartResult, TaskPlan } from './types.ts';
import type { NewChild, WorkerContext } from './worker-context.ts';

export const defaultRetry: RetryRule = { limit: 0, firstDelayMs: 1000, factor: 5, longestDelayMs: 300_000 };

const LONGEST_DELAY_MS = 2 ** 31 - 1;
const LONGEST_NAME = 300;
const MOST_LABELS = 20;
/** Lanes and pools that are told of one by one. */
const MOST_TOLD = 20;
/** When so long no more of many runs have come, those that have are begun. */
const CROWD_MS = 250;

/**
 * Accepts a run: run, tasks, queue jobs and the observers' writes in one transaction, the caller's if given. A run with
 * the same idempotency key is answered as `existing`, a live one with the same concurrency key as `refused`.
 */
export async function startRun(context: EngineContext, plan: RunPlan, tx?: Transaction): Promise<StartResult> {
  refuseBadPlan(plan);
  if (tx === undefined) return transact(context, (commit) => acceptRun(context, plan, commit));
  const result = await acceptRun(context, plan, { tx, effects: [] });
  if (result.outcome !== 'started') return result;
  if (mustBeAdmitted(plan)) await context.signals.sendWith(tx, 'admit', admissionSubject(plan));
  else for (const topic of topicsOf(plan.phases.flat())) await context.signals.sendWith(tx, topic);
  return result;
}

/**
 * Accepts runs in the caller's transaction, by few statements however many there are, and numbered in their order. When
 * there are many, nobody is told of the lanes and pools for which they wait: admission looks at all within a second, later
 * while this process accepts more (`crowd`): to accept all of a great number comes before to begin any.
 */
export async function startRuns(
  context: EngineContext,
  plans: readonly RunPlan[],
  tx: Transaction,
): Promise<readonly StartResult[]> {
  for (const plan of plans) refuseBadPlan(plan);
  if (plans.length > MOST_TOLD) context.crowd.until = context.world.elapsed() + CROWD_MS;
  const results = await acceptRuns(context, plans, { tx, effects: [] });
  const started = plans.filter((_, place) => results[place]?.outcome === 'started');
  const [admitted, others] = [started.filter(mustBeAdmitted), started.filter((plan) => !mustBeAdmitted(plan))];
  for (const topic of topicsOf(others.flatMap((plan) => plan.phases.flat()))) await context.signals.sendWith(tx, topic);
  const subjects = new Set(admitted.map(admissionSubject));
  const told = subjects.size > MOST_TOLD ? [] : subjects;
  for (const subject of told) await context.signals.sendWith(tx, 'admit', subject);
  return results;
}

/** Accepts a run in the caller's transaction (`startRun`); what is to be told is told after its commit. */
export async function acceptRun(context: EngineContext, plan: RunPlan, commit: AfterCommit): Promise<StartResult> {
  return (await acceptRuns(context, [plan], commit))[0]!;
}

async function acceptRuns(
  context: EngineContext,
  plans: readonly RunPlan[],
  commit: AfterCommit,
): Promise<readonly StartResult[]> {
  const rows = plans.map((plan) => toRows(context, plan));
  const stored = await insertRuns(commit.tx, rows);
  const results: StartResult[] = [];
  for (const [place, plan] of plans.entries()) {
    const accepted = stored.get(rows[place]!.run['id'] as string);
    if (accepted === undefined) {
      results.push(await findInTheWay(context, plan, commit));
      continue;
    }
    await tellOfAccepted(context, commit, { plan, accepted });
    const { id, number, path } = accepted.run;
    results.push({ outcome: 'started', runId: id, number, path });
  }
  return results;
}

/** Children of one statement. */
const CHILDREN = 100;

/** Starts of children that come together: tasks of a phase begin in one moment, and each starts its own. */
export function createChildStarts(context: EngineContext): WorkerContext['childStarts'] {
  const run = async (children: readonly NewChild[]): Promise<readonly (StoredRun | undefined)[]> => {
    const rows = children.map((child) => child.rows);
    const parents = children.map(({ parent }) => parent);
    const stored = await insertRuns(context.store.db, rows, parents);
    return rows.map((row) => stored.get(row.run['id'] as string));
  };
  return createBatches({ size: CHILDREN, run });
}

/**
 * Accepts a run that is to be admitted first, for a task that owns it, in a statement that is a transaction of its own.
 * Undefined, and nothing written, when something is in the way or somebody observes such runs: a transaction in which the
 * task is held finds out what.
 */
export async function acceptChild(
  context: WorkerContext,
  plan: RunPlan,
  parent: Owner,
): Promise<StartResult | undefined> {
  const isObserved = context.observers.some(({ kind }) => kind === plan.kind);
  if (!mustBeAdmitted(plan) || isObserved) return undefined;
  const rows = toRows(context, plan);
  if (rows.run['state'] !== 'planned') return undefined;
  const accepted = await context.childStarts({ rows, parent });
  if (accepted === undefined) return undefined;
  tellOfLine(context, plan);
  const { id, number, path } = accepted.run;
  return { outcome: 'started', runId: id, number, path };
}

async function findInTheWay(context: EngineContext, plan: RunPlan, commit: AfterCommit): Promise<StartResult> {
  const other = await findConflictingRun(commit.tx, plan);
  // It may have ended between the two statements; then the insert succeeds the next time.
  if (other === undefined) return acceptRun(context, plan, commit);
  const { id, number, path, isSame } = other;
  return { outcome: isSame ? 'existing' : 'refused', runId: id, number, path };
}

async function tellOfAccepted(
  context: EngineContext,
  commit: AfterCommit,
  { plan, accepted }: { readonly plan: RunPlan; readonly accepted: StoredRun },
): Promise<void> {
  const delay = plan.startAfter && { until: plan.startAfter };
  await dispatchTasks(context, commit, { tasks: accepted.queued, delay });
  await tellObservers(context, commit.tx, { run: accepted.run, isAccept: true });
  commit.effects.push(() => {
    tellOfLine(context, plan);
  });
}

/** After the commit of an accepted run. */
function tellOfLine(context: EngineContext, plan: RunPlan): void {
  context.world.reach('engine.accepted');
  if (!mustBeAdmitted(plan)) return;
  const dueInMs = plan.startAfter ? plan.startAfter.getTime() - context.world.now().getTime() : 0;
  if (dueInMs > 0) context.signals.sendAfter(dueInMs, 'admit', admissionSubject(plan));
  else context.signals.send('admit', admissionSubject(plan));
}

function mustBeAdmitted(plan: RunPlan): boolean {
  return plan.lane !== undefined || plan.pool !== undefined;
}

/** The rows of a plan. Tasks to skip are terminal from the start; the first phase with others is queued at once. */
function toRows(context: EngineContext, plan: RunPlan): AcceptedRun {
  const mustWait = mustBeAdmitted(plan);
  const first = plan.phases.findIndex((phase) => phase.some((task) => !task.skip));
  const id = newId(context.world, 'r');
  const tasks = plan.phases.flatMap((phase, phaseNumber) =>
    phase.map((task, position) => ({
      ...toTaskRow(context, task),
      phase: phaseNumber,
      position,
      state: task.skip ? 'skipped' : phaseNumber === first && !mustWait ? 'queued' : 'planned',
    })),
  );
  const run = {
    id,
    project: plan.project,
    kind: plan.kind,
    definition: plan.definition ?? null,
    state: first === -1 ? 'succeeded' : mustWait ? 'planned' : 'queued',
    trigger: plan.trigger,
    snapshot: toJson(plan.snapshot),
    concurrency_key: plan.concurrencyKey ?? null,
    idempotency_key: plan.idempotencyKey ?? null,
    priority: plan.priority ?? 0,
    parent_task_id: plan.parentTaskId ?? null,
    parent_run_id: plan.parentRunId ?? null,
    parent_path: plan.parentPath ?? null,
    lane: plan.lane ?? null,
    pool: plan.pool?.name ?? null,
    pool_limit: plan.pool?.limit ?? null,
    keep: plan.keep ?? false,
    labels: JSON.stringify(plan.labels ?? {}),
    created_by: plan.createdBy ?? 'system',
    start_after: plan.startAfter?.toISOString() ?? null,
    phase: Math.max(first, 0),
    open_tasks: tasks.filter((task) => task.state === 'queued').length,
  };
  return { run, tasks };
}

/** What a plan says of one task, as columns; where it stands in the run is the caller's. */
export function toTaskRow(context: EngineContext, task: TaskPlan): Readonly<Record<string, unknown>> {
  return {
    id: newId(context.world, 't'),
    key: task.key,
    component: task.component,
    input: toJson(task.input),
    timeout_ms: task.timeoutMs ?? null,
    retry: { ...defaultRetry, ...task.retry },
    continue_on_failure: task.continueOnFailure ?? false,
    concurrency_key: task.concurrencyKey ?? null,
    priority: task.priority ?? 0,
    waits: task.waits ?? false,
  };
}

/** Throws `bad_request` for keys that are empty or double, texts that cannot be stored, numbers out of range. */
export function refuseBadTasks(tasks: readonly TaskPlan[]): void {
  const keys = new Set<string>();
  for (const task of tasks) {
    if (task.key === '' || keys.has(task.key)) {
      throw new Failure('bad_request', `every task of a run needs a key of its own; "${task.key}" is empty or double`);
    }
    keys.add(task.key);
    refuseBadNumbers(task);
    refuseNul([task.key, task.component, task.concurrencyKey]);
  }
}

/** Throws `bad_request` for a plan that cannot be stored. */
export function refuseBadPlan(plan: RunPlan): void {
  refuseBadTasks(plan.phases.flat());
  refuseNul([plan.kind, plan.project, plan.definition, plan.concurrencyKey, plan.idempotencyKey, plan.createdBy]);
  refuseNul([plan.parentTaskId, plan.parentRunId]);
  refuseBadPlace(plan);
  refuseBadLabels(plan.labels ?? {});
  refuseBadPriority('the priority of a run', plan.priority);
  if (plan.startAfter !== undefined && Number.isNaN(plan.startAfter.getTime())) {
    throw new Failure('bad_request', 'startAfter is not an instant');
  }
}

function refuseBadPlace({ lane, pool, parentPath }: RunPlan): void {
  refuseNul([lane, pool?.name]);
  for (const name of [lane, pool?.name]) {
    if (name !== undefined && (name === '' || name.length > LONGEST_NAME || !name.isWellFormed())) {
      throw new Failure('bad_request', `the name of a lane or a pool must have 1 to ${LONGEST_NAME} characters`);
    }
  }
  if (pool !== undefined && !isWithin(pool.limit, 1, 1_000_000)) {
    throw new Failure('bad_request', `the limit of pool "${pool.name}" must be a whole number above 0`);
  }
  if (parentPath !== undefined && !(parentPath.length <= 255 && /^\d+(\.\d+)*$/.test(parentPath))) {
    throw new Failure(
      'bad_request',
      'the path of a parent run must be numbers with dots between, at most 255 characters',
    );
  }
}

function refuseBadLabels(labels: Labels): void {
  const entries = Object.entries(labels);
  const areGood = entries.every(
    ([name, value]) =>
      /^[\w.-]{1,100}$/.test(name) && typeof value === 'string' && value.length <= 300 && !value.includes('\0'),
  );
  if (entries.length > MOST_LABELS || !areGood) {
    throw new Failure(
      'bad_request',
      `a run takes at most ${MOST_LABELS} labels, with names of letters, digits, ".", "_" and "-" and texts up to 300 characters`,
    );
  }
}

function refuseNul(texts: readonly (string | undefined)[]): void {
  if (texts.some((text) => text?.includes('\0'))) {
    throw new Failure('bad_request', 'names and keys of a run must not contain a NUL character');
  }
}

function refuseBadPriority(what: string, priority: number | undefined): void {
  if (priority !== undefined && !isWithin(priority, -1_000_000, 1_000_000)) {
    throw new Failure('bad_request', `${what} must be a whole number between -1000000 and 1000000`);
  }
}

function refuseBadNumbers(task: TaskPlan): void {
  refuseBadPriority(`the priority of task "${task.key}"`, task.priority);
  const { limit, firstDelayMs, factor, longestDelayMs } = { ...defaultRetry, ...task.retry };
  const delaysAreGood = [firstDelayMs, longestDelayMs].every((delay) => delay >= 0 && delay <= LONGEST_DELAY_MS);
  if (!isWithin(limit, 0, 1000) || !delaysAreGood || !(factor >= 1 && factor <= 1000)) {
    throw new Failure('bad_request', `the retry rule of task "${task.key}" is out of range`);
  }
  if (task.timeoutMs !== undefined && !isWithin(task.timeoutMs, 1, Number.MAX_SAFE_INTEGER)) {
    throw new Failure(
      'bad_request',
      `the timeout of task "${task.key}" must be a whole number of milliseconds above 0`,
    );
  }
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
