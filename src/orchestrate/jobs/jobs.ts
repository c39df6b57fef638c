import type { RunView } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { ORCHESTRATION_RUN, statusOf } from '../component-runs/describe.ts';
import { writeToken } from '../component-runs/names.ts';
import { parentOf } from '../component-runs/parent.ts';
import type { Definitions } from '../definitions/index.ts';
import { makeOnce } from '../repeats.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Orchestration, Scope, TaskDefinition } from '../types.ts';
import { readOrchestrationId, readStart, type StartAsk } from './ask.ts';
import { followEvents, readEvents } from './events.ts';
import { laneOf } from './nesting.ts';
import { applyOverride } from './override.ts';
import { selectForRetry, type OldEnd } from './retry.ts';
import { startJob } from './start.ts';
import { hasOrchestration } from './tables.ts';
import type { EventsAsk, Jobs, JobView, NewJob } from './types.ts';
import { asCreated, viewJobs, viewTask } from './view.ts';

export type JobRooms = OrchestrateRooms & { readonly definitions: Definitions };

/** Jobs on the engine. */
export function createJobs(rooms: JobRooms): Jobs {
  const get = async (project: string, number: number): Promise<JobView> => {
    const run = await findRun(rooms, project, number);
    return onlyOne(await viewJobs(rooms, [run]), number);
  };
  const getEnded = async (project: string, number: number): Promise<JobView> => {
    const job = await get(project, number);
    if (job.run.endedAt !== null) return job;
    throw new Failure('conflict', `Job ${number} is ${job.status}; only finished jobs can be retried`);
  };
  return {
    async start(scope, { path, sent, orchestrationId = readOrchestrationId(sent) }) {
      const ask = readStart(sent);
      const caller = await callerOf(rooms, scope);
      return makeJob(rooms, scope, {
        path,
        orchestrationId,
        body: sent,
        toJob: (orchestration) => ({ ...caller, ...manualJob(rooms, { orchestration, ask }) }),
      });
    },
    trigger: (scope, ask) => triggerJob(rooms, scope, ask),
    startIn: (tx, job) => startJob(rooms, tx, job),
    async list(project, orchestrationId, paging) {
      if (!(await hasOrchestration(rooms.store.db, project, orchestrationId))) throw noOrchestration(orchestrationId);
      // By the definition alone: it says the rest, and its index counts them without a look at the rows.
      const { runs, total } = await rooms.engine.list({ definition: laneOf(orchestrationId), ...paging });
      return { jobs: await viewJobs(rooms, runs), total };
    },
    get,
    async getTask(project, { number, position }) {
      const task = await viewTask(rooms, await findRun(rooms, project, number), position);
      if (task === undefined) throw new Failure('not_found', `Job ${number} has no task at position ${position}`);
      return task;
    },
    check: async (project, number) => void (await findRun(rooms, project, number)),
    cancel: (scope, number) => cancelJob(rooms, scope, number),
    async retry(scope, { number, path, sent }) {
      const ask = readStart(sent);
      const old = await getEnded(scope.project, number);
      const caller = await callerOf(rooms, scope);
      return makeJob(rooms, scope, {
        path,
        orchestrationId: old.orchestrationId,
        body: sent,
        toJob: (orchestration) => ({ ...caller, ...retryJob(rooms, { orchestration, old, ask }) }),
      });
    },
    previewRetry: async (project, number) => selectTasks(await getEnded(project, number)),
    events: async (project, { after, limit, ...which }) =>
      readEvents(rooms, await findTelling(rooms, project, which), { after, limit }),
    async *followEvents(project, { after, signal, ...which }) {
      yield* followEvents(rooms, await findTelling(rooms, project, which), { after, signal });
    },
  };
}

async function triggerJob(
  rooms: JobRooms,
  scope: Scope,
  { path, orchestrationId }: Parameters<Jobs['trigger']>[1],
): Promise<JobView> {
  const caller = await callerOf(rooms, scope);
  return makeJob(rooms, scope, {
    path,
    orchestrationId,
    body: {},
    toJob(orchestration) {
      if (!orchestration.active) throw inactive(orchestrationId);
      return { ...caller, orchestration, initializedBy: 'trigger' };
    },
  });
}

interface Making {
  readonly path: string;
  readonly orchestrationId: number;
  /** What an idempotency key stands for. */
  readonly body: unknown;
  toJob(orchestration: Orchestration): NewJob;
}

async function makeJob(rooms: JobRooms, scope: Scope, making: Making): Promise<JobView> {
  const { path, orchestrationId, body } = making;
  const make = async (tx: Transaction): Promise<string> => {
    const orchestration = await rooms.definitions.hold(tx, orchestrationId, scope.project);
    if (orchestration === undefined) throw noOrchestration(orchestrationId);
    const job = making.toJob(orchestration);
    const started = await startJob(rooms, tx, job);
    await rooms.audit(tx, {
      ...scope.actor,
      action: job.retryOf === undefined ? 'start orchestration' : 'retry job',
      project: scope.project,
      subject: `orchestration/${orchestrationId}`,
    });
    return started.runId;
  };
  const { made } = await rooms.store.transaction((tx) =>
    makeOnce(tx, { caller: scope.caller, path, body }, () => make(tx)),
  );
  const run = await rooms.engine.get(made);
  const [job] = run === undefined ? [] : await viewJobs(rooms, [asCreated(run)]);
  if (job === undefined) throw new Failure('not_found', 'the job that this idempotency key made is not there any more');
  return job;
}

/** What a job is apart from who asks for it. */
type Wanted = Omit<NewJob, keyof Asking>;
type Asking = Pick<NewJob, 'initiator' | 'parentPath' | 'parentRunId'>;

function manualJob(
  rooms: JobRooms,
  { orchestration, ask }: { readonly orchestration: Orchestration; readonly ask: StartAsk },
): Wanted {
  const { tasks } = ask;
  const { areSame } = rooms.definitions.parameters;
  return {
    orchestration,
    initializedBy: 'manually',
    emails: ask.emails,
    ...(tasks !== undefined && { tasks: applyOverride(orchestration.tasks, tasks, areSame) }),
  };
}

interface Retrying {
  readonly orchestration: Orchestration;
  readonly old: JobView;
  readonly ask: StartAsk;
}

/** The old job's snapshot again, with what is active chosen by the caller or by 4.8. */
function retryJob(rooms: JobRooms, { orchestration, old, ask }: Retrying): Wanted {
  const { areSame } = rooms.definitions.parameters;
  const tasks = ask.tasks === undefined ? selectTasks(old) : applyOverride(old.tasks, ask.tasks, areSame);
  if (!tasks.some((task) => task.active)) {
    throw new Failure('bad_request', `No task of job ${old.run.number} is selected for the retry`);
  }
  const retryOf = old.run.number;
  const again = { retryOf, ...(old.logicalTime !== null && { logicalTime: old.logicalTime }) };
  return { orchestration, initializedBy: 'manually', emails: ask.emails, tasks, ...again };
}

function selectTasks(old: JobView): readonly TaskDefinition[] {
  const selected = selectForRetry(old.tasks, endsOf(old));
  return old.tasks.map((task, position) => ({ ...task, active: selected[position] === true }));
}

function endsOf(old: JobView): readonly OldEnd[] {
  if (old.results === null) return old.tasks.map(() => 'not reached');
  return old.results.map(({ reached }) => {
    if (reached === null) return 'not reached';
    return reached.status === 'success' ? 'succeeded' : 'failed';
  });
}

/** Read before the transaction of the start: within it, a second connection would be waited for. */
async function callerOf({ engine }: JobRooms, { project, caller }: Scope): Promise<Asking> {
  return {
    initiator: { tokenId: caller.token.id, agent: caller.userAgent },
    parentPath: caller.parentPath,
    ...(await parentOf(engine, project, caller.parentPath)),
  };
}

async function cancelJob(rooms: JobRooms, scope: Scope, number: number): Promise<void> {
  const run = await findRun(rooms, scope.project, number);
  const entry = { ...scope.actor, action: 'cancel job', project: scope.project, subject: `job ${number}` };
  const isCancelled = await rooms.engine.cancel(run.id, writeToken(scope.caller.token.id), {
    onlyIn: ['planned', 'queued'],
    beside: (tx) => rooms.audit(tx, entry),
  });
  if (isCancelled) return;
  const now = (await rooms.engine.get(run.id)) ?? run;
  const hint = now.endedAt === null ? ` Use POST /queue/jobs/${number}/kill` : '';
  const message = `Job ${number} is ${statusOf(now)}; only waiting jobs can be cancelled.${hint}`;
  throw new Failure('conflict', message);
}

async function findRun(rooms: OrchestrateRooms, project: string, number: number): Promise<RunView> {
  const run = await rooms.engine.getByNumber(number);
  if (run?.kind !== ORCHESTRATION_RUN || run.project !== project) throw noJob(number);
  return run;
}

async function findTelling(
  rooms: OrchestrateRooms,
  project: string,
  { number, ofAnyRun = false }: Omit<EventsAsk, 'after'>,
): Promise<RunView> {
  if (!ofAnyRun) return findRun(rooms, project, number);
  const run = await rooms.engine.getByNumber(number);
  if (run?.labels['component'] === undefined || run.project !== project) throw noJob(number);
  return run;
}

function onlyOne(jobs: readonly JobView[], number: number): JobView {
  const [job] = jobs;
  if (job === undefined) throw noJob(number);
  return job;
}

function noJob(number: number): Failure {
  return new Failure('not_found', `Job ${number} not found`);
}

function noOrchestration(id: number): Failure {
  return new Failure('not_found', `Orchestration ${id} not found`);
}

function inactive(id: number): Failure {
  return new Failure('conflict', `Orchestration ${id} is inactive; activate it, or start it with POST /run`);
}
