import type { RunView } from '../../engine/index.ts';
import { ORCHESTRATION_RUN, statusOf, toQueueRun } from '../component-runs/describe.ts';
import { nameOf, nameTokens, tokensOf } from '../component-runs/names.ts';
import { COMPONENT_RUN } from '../component-runs/plan.ts';
import { readComponentRows } from '../component-runs/tables.ts';
import type { TokenName } from '../component-runs/types.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { keyOf } from './plan.ts';
import { toResults, type Children, type TaskChild } from './results.ts';
import { readJobs, readTaskRows, type JobRow } from './tables.ts';
import type { JobView, ResultTask } from './types.ts';

/** Tasks of all jobs of one page whose results are read; those of further jobs are left out (null). */
const MOST_TASKS = 20_000;

type Names = ReadonlyMap<number, TokenName>;

/** Jobs with their results, in the order of their runs; runs that are no jobs are left out. */
export async function viewJobs(rooms: OrchestrateRooms, runs: readonly RunView[]): Promise<readonly JobView[]> {
  const rows = await readJobs(rooms.store.db, idsOf(runs));
  const ids = [...rows.values()].flatMap((row) => [row.token_id, row.initiator_id]);
  const names = await nameTokens(rooms.tokens, ids);
  const begun = runs.filter((run) => run.startedAt !== null);
  const results = await readResults(rooms, withinBudget(begun, rows), { rows, names });
  return runs.flatMap((run) => {
    const row = rows.get(run.id);
    return row === undefined ? [] : [{ ...toJob(run, row, names), results: results.get(run.id) ?? null }];
  });
}

/** One task of a job with its whole answer; undefined when there is none at this position. */
export async function viewTask(
  rooms: OrchestrateRooms,
  run: RunView,
  position: number,
): Promise<ResultTask | undefined> {
  const row = (await readJobs(rooms.store.db, [run.id])).get(run.id);
  const definitions = row?.tasks ?? [];
  if (row === undefined || definitions[position] === undefined) return undefined;
  const tasks = run.startedAt === null ? [] : await readTaskRows(rooms.store.db, [run.id], keyOf(position));
  const started = tasks.length === 0 ? [] : await rooms.engine.children(run.id);
  const own = started.filter((child) => child.parentTaskId === tasks[0]?.id);
  const names = await nameTokens(rooms.tokens, [row.token_id]);
  return toResults(definitions, tasks, await readChildren(rooms, own, names))[position];
}

/** A run as the answer of its making shows it, even if it has begun since: it waits. */
export function asCreated(run: RunView): RunView {
  return { ...run, state: 'queued', startedAt: null, endedAt: null, cancelRequested: false, cancelledBy: null };
}

async function readResults(
  rooms: OrchestrateRooms,
  runIds: readonly string[],
  { rows, names }: { readonly rows: ReadonlyMap<string, JobRow>; readonly names: Names },
): Promise<ReadonlyMap<string, JobView['results']>> {
  if (runIds.length === 0) return new Map();
  const [tasks, children] = await Promise.all([readTaskRows(rooms.store.db, runIds), rooms.engine.children(runIds)]);
  const byRun = Map.groupBy(tasks, (task) => task.runId);
  const known = await readChildren(rooms, children, names);
  return new Map(runIds.map((id) => [id, toResults(rows.get(id)?.tasks ?? [], byRun.get(id) ?? [], known)]));
}

function toJob(run: RunView, row: JobRow, names: Names): Omit<JobView, 'results'> {
  return {
    run,
    status: statusOf(run),
    orchestrationId: row.orchestration_id,
    orchestrationName: row.orchestration_name,
    initializedBy: row.initialized_by,
    tokenId: row.token_id,
    token: nameOf(names, row.token_id),
    initiatorId: row.initiator_id,
    initiator: nameOf(names, row.initiator_id),
    initiatorAgent: row.initiator_agent,
    emails: row.emails,
    tasks: row.tasks ?? [],
    notifications: row.notifications,
    retryOf: row.retry_of,
    scheduledTime: row.scheduled_at,
    logicalTime: row.logical_at,
    coalescedTicks: row.coalesced_ticks,
  };
}

/** Those of the jobs whose tasks were read, up to a number of tasks: the first always. */
function withinBudget(runs: readonly RunView[], rows: ReadonlyMap<string, JobRow>): readonly string[] {
  let left = MOST_TASKS;
  return runs.flatMap((run, position) => {
    const tasks = rows.get(run.id)?.tasks ?? null;
    left -= tasks?.length ?? 0;
    return tasks !== null && (left >= 0 || position === 0) ? [run.id] : [];
  });
}

/** What tasks of these jobs have started, by the task. Nested jobs come with results of their own. */
async function readChildren(rooms: OrchestrateRooms, children: readonly RunView[], names: Names): Promise<Children> {
  const runs = children.filter((child) => child.kind !== ORCHESTRATION_RUN);
  const nested = children.filter((child) => child.kind === ORCHESTRATION_RUN);
  const own = idsOf(runs.filter((run) => run.kind === COMPONENT_RUN));
  const rows = await readComponentRows(rooms.store.db, own);
  const unknown = tokensOf(runs).filter((id) => !names.has(id));
  const all = new Map([...names, ...(await nameTokens(rooms.tokens, unknown))]);
  const jobs = nested.length === 0 ? [] : await viewJobs(rooms, nested);
  const shown: [RunView, TaskChild][] = [
    ...runs.map((run): [RunView, TaskChild] => [run, { run: toQueueRun(run, rows.get(run.id), all) }]),
    ...jobs.map((job): [RunView, TaskChild] => [job.run, { job }]),
  ];
  return new Map(shown.flatMap(([run, child]) => (run.parentTaskId === null ? [] : [[run.parentTaskId, child]])));
}

function idsOf(runs: readonly RunView[]): readonly string[] {
  return runs.map((run) => run.id);
}
