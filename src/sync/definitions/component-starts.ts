import type { Attempt, RunPlan, StartResult } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { selectedIds } from '../catalog/difference.ts';
import { byNamespace, streamId } from '../catalog/names.ts';
import type { Catalog, SelectedStream } from '../types.ts';
import { catalogOf, isContinuous, planRun } from './run-plans.ts';
import { forgetStreams, loadState, saveState } from './state.ts';
import { lockJob, type JobRow } from './tables/jobs.ts';
import type { DefinitionRooms, RunKind } from './types.ts';

/** What a component asks a job to do. */
export interface ComponentAsk {
  readonly kind: RunKind;
  readonly projectId: string;
  readonly jobId: number;
  /** Only these, by `namespace.name` or by a name that is the only one; absent = all that are selected. */
  readonly streams?: readonly string[];
}

/** `busy` names the run of the job that is in the way. */
export type ComponentStart = StartResult | { readonly outcome: 'busy'; readonly runId: string };

/**
 * Starts a sync or a clear of a job as a child of the attempt's run, with the job's own lock, once for all attempts of the
 * task: a later attempt gets the child of the former as `existing`, whatever became of the job. Throws `not_found`,
 * `bad_request` and `conflict`, which are the user's; `cancelled` and `lease_lost` as `Attempt.asParent`.
 */
export async function startForComponent(
  rooms: DefinitionRooms,
  attempt: Attempt,
  ask: ComponentAsk,
): Promise<ComponentStart> {
  const known = await findChild(rooms, attempt, ask.kind);
  if (known !== undefined) return known;
  return attempt.asParent(async (tx) => {
    const row = await lockJob(tx, ask.projectId, ask.jobId);
    if (row === undefined)
      throw new Failure('not_found', `Job ${ask.jobId} does not exist in project ${ask.projectId}`);
    refuseUnfit(row);
    const catalog = narrow(catalogOf(row), ask.streams);
    const clearStreams = ask.kind === 'clear' ? selectedIds(catalog) : undefined;
    const by = attempt.run.createdBy;
    const plan: RunPlan = {
      ...(await planRun(tx, {
        row,
        kind: ask.kind,
        trigger: 'parent',
        by,
        catalog,
        ...(clearStreams && { clearStreams }),
      })),
      parentTaskId: attempt.task.id,
      idempotencyKey: `child/${attempt.task.id}/${ask.kind}`,
    };
    const started = await rooms.engine.start(plan, tx);
    if (started.outcome === 'refused') return { outcome: 'busy', runId: started.runId };
    if (clearStreams) await saveState(tx, row.id, forgetStreams(await loadState(tx, row.id), clearStreams));
    return started;
  });
}

async function findChild(
  { engine }: DefinitionRooms,
  attempt: Attempt,
  kind: RunKind,
): Promise<ComponentStart | undefined> {
  const children = await engine.children(attempt.run.id);
  const child = children.find((run) => run.kind === kind && run.parentTaskId === attempt.task.id);
  return child && { outcome: 'existing', runId: child.id, number: child.number, path: child.path };
}

function refuseUnfit(row: JobRow): void {
  if (!row.active) throw new Failure('conflict', `Job ${row.id} is inactive; activate it first`);
  if (isContinuous(row)) {
    throw new Failure('conflict', `Job ${row.id} stays on: its sync never ends, so nothing can wait for it`, {
      advice: 'Give the job a frequency, or none, instead of "continuous".',
    });
  }
}

/** The catalog with these streams alone selected. Streams of one change log are read together or not at all. */
function narrow(catalog: Catalog, names: readonly string[] | undefined): Catalog {
  if (names === undefined) return catalog;
  const all = selectedIds(catalog);
  const chosen = new Set(names.map((name) => findStream(all, name)));
  const fromLog = catalog.streams
    .filter(({ stream }) => stream.sync_mode === 'cdc' || stream.sync_mode === 'strict_cdc')
    .map(({ stream }) => streamId(stream))
    .filter((id) => all.includes(id));
  const missing = fromLog.find((id) => !chosen.has(id));
  if (missing !== undefined && fromLog.some((id) => chosen.has(id))) {
    throw new Failure(
      'bad_request',
      `streams: "${missing}" must be among them, since streams of one change log go together`,
    );
  }
  const pairs = Object.entries(catalog.selected_streams).flatMap(([namespace, selections]) =>
    selections
      .filter(({ stream_name: name }) => chosen.has(streamId({ namespace, name })))
      .map((selection): readonly [string, SelectedStream] => [namespace, selection]),
  );
  return { ...catalog, selected_streams: byNamespace(pairs) };
}

function findStream(ids: readonly string[], name: string): string {
  if (ids.includes(name)) return name;
  const [id, other] = ids.filter((one) => one.endsWith(`.${name}`));
  if (id === undefined) throw new Failure('bad_request', `streams: "${name}" is not selected in the job`);
  if (other !== undefined) {
    throw new Failure('bad_request', `streams: "${name}" may be "${id}" or "${other}"; give the namespace, too`);
  }
  return id;
}
