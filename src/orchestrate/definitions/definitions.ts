import { statusOf } from '../component-runs/describe.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Scope } from '../types.ts';
import { createReplacedTokenEnding, REPLACED, showToken } from './binding.ts';
import { notFound, type DefinitionContext } from './context.ts';
import { refuse, isObject } from './input/fields.ts';
import { createParameterKeeper } from './parameters.ts';
import { createEnding, createLastJobObserver, ENDING, removeOrchestration } from './removal.ts';
import { upcoming } from './schedule.ts';
import { lockOrchestration, readBoundTo, readOrchestrations, type NewestJob } from './tables.ts';
import type { Definitions, LastJob, OrchestrationView } from './types.ts';
import { changeOrchestration, createOrchestration, renewToken } from './writes.ts';

/** Orchestrations on the store. */
export function createDefinitions(rooms: OrchestrateRooms): Definitions {
  const context: DefinitionContext = { ...rooms, parameters: createParameterKeeper(rooms) };
  const get = async (project: string, id: number): Promise<OrchestrationView> => {
    const [view] = await readViews(rooms, { project, id });
    if (view === undefined) throw notFound(id);
    return view;
  };
  const replace = async (scope: Scope, id: number, list: { name: 'tasks' | 'notifications'; sent: unknown }) => {
    await changeOrchestration(context, { scope, id, sent: { [list.name]: readWrapped(list.sent, list.name) } });
    return get(scope.project, id);
  };
  return {
    list: (project) => readViews(rooms, { project }),
    get,
    async create(scope, sent) {
      return get(scope.project, await createOrchestration(context, scope, sent));
    },
    async update(scope, id, { sent, ifRevision }) {
      await changeOrchestration(context, { scope, id, sent, ifRevision });
      return get(scope.project, id);
    },
    remove: (scope, id) => removeOrchestration(context, scope, id),
    async renewToken(scope, id) {
      await renewToken(context, scope, id);
      return get(scope.project, id);
    },
    tasks: async (project, id) => (await get(project, id)).tasks,
    replaceTasks: async (scope, id, sent) => (await replace(scope, id, { name: 'tasks', sent })).tasks,
    notifications: async (project, id) => (await get(project, id)).notifications,
    replaceNotifications: async (scope, id, sent) =>
      (await replace(scope, id, { name: 'notifications', sent })).notifications,
    boundTo: (tokenId, tx) => readBoundTo(tx ?? rooms.store.db, tokenId),
    hold: (tx, id, project) => lockOrchestration(tx, { id, project }, 'share'),
    parameters: context.parameters,
    observer: createLastJobObserver(rooms),
    deliverers: { [ENDING]: createEnding(rooms), [REPLACED]: createReplacedTokenEnding(rooms) },
  };
}

/** The list itself, or an object that holds it under its name. Nothing is no list: it must not empty one. */
function readWrapped(sent: unknown, name: string): unknown {
  const list = isObject(sent) && Object.hasOwn(sent, name) ? sent[name] : sent;
  const isNothing = list === undefined || list === null || (isObject(list) && Object.keys(list).length === 0);
  if (isNothing) throw refuse(name, 'must be an array; [] empties the list');
  return list;
}

async function readViews(
  rooms: Pick<OrchestrateRooms, 'store' | 'tokens' | 'world'>,
  which: { readonly project: string; readonly id?: number },
): Promise<readonly OrchestrationView[]> {
  const rows = await readOrchestrations(rooms.store.db, which);
  if (rows.length === 0) return [];
  const tokens = await rooms.tokens.describe([...new Set(rows.map((row) => row.tokenId))]);
  const now = rooms.world.now();
  return rows.map(({ newest, ownTokenId: _own, ...row }) => ({
    ...row,
    nextScheduledTime: upcoming(row, now),
    token: showToken(row.tokenId, tokens.get(row.tokenId)),
    lastJob: newest && toLastJob(newest),
  }));
}

function toLastJob(job: NewestJob): LastJob {
  return {
    number: job.number,
    status: statusOf({ ...job, kind: 'orchestration' }),
    initializedBy: job.initializedBy,
    createdTime: job.queuedAt,
    startTime: job.startedAt,
    endTime: job.endedAt,
  };
}
