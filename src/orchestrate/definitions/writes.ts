import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { makeOnce } from '../repeats.ts';
import type { Scope, TaskDefinition } from '../types.ts';
import { checkDirecting, checkMakesTokens, checkToken, makeToken, revokeFormer } from './binding.ts';
import { entryOf, lockForChange, nameOf, type DefinitionContext } from './context.ts';
import { refuse } from './input/fields.ts';
import { readFields, USUAL, type Fields } from './input/orchestration.ts';
import type { NewTask } from './input/tasks.ts';
import { reschedule } from './schedule.ts';
import {
  insertOrchestration,
  readTokenId,
  takeOrchestrationId,
  takeTaskIds,
  updateOrchestration,
  type StoredOrchestration,
  type Values,
} from './tables.ts';
import type { Sent } from './types.ts';
import { sealWebhookSecrets } from './webhook-secrets.ts';

const PATH = '/orchestrations';

/** Orchestration, token, schedule and audit: everything or nothing. Answers the id. */
export async function createOrchestration(rooms: DefinitionContext, scope: Scope, sent: Sent): Promise<number> {
  if (sent['tokenId'] === undefined || sent['tokenId'] === null) checkMakesTokens(scope);
  const fields = readFields(sent, { outbound: rooms.outbound, now: rooms.world.now() });
  const { name, tokenId } = fields;
  if (name === undefined) throw refuse('name', 'is required');
  if (tokenId !== undefined) await checkToken(rooms, scope, tokenId);
  const { made } = await rooms.store.transaction((tx) =>
    makeOnce(tx, { caller: scope.caller, path: PATH, body: sent }, async () =>
      String(await insert(rooms, tx, { scope, fields: { ...fields, name } })),
    ),
  );
  return Number(made);
}

interface Insert {
  readonly scope: Scope;
  readonly fields: Fields & { readonly name: string };
}

async function insert(rooms: DefinitionContext, tx: Transaction, { scope, fields }: Insert): Promise<number> {
  const id = await takeOrchestrationId(tx);
  const own = fields.tokenId === undefined ? await makeToken(rooms, tx, { scope, name: fields.name }) : null;
  const timing = {
    id,
    crontabRecord: fields.crontab ?? null,
    zone: fields.zone ?? USUAL.zone,
    catchUp: fields.catchUp ?? USUAL.catchUp,
    active: fields.active ?? true,
  };
  const values: Values = {
    name: fields.name,
    crontab: timing.crontabRecord,
    zone: timing.zone,
    overlap: fields.overlap ?? USUAL.overlap,
    catchUp: timing.catchUp,
    active: timing.active,
    tokenId: (fields.tokenId ?? own)!,
    ownTokenId: own,
    tasks: JSON.stringify(await placeTasks(rooms, tx, { tasks: fields.tasks ?? [], stored: [] })),
    notifications: JSON.stringify(sealWebhookSecrets(rooms.secrets, fields.notifications ?? [], [])),
    nextScheduledTime: await reschedule(rooms, tx, timing),
  };
  await insertOrchestration(tx, { id, project: scope.project, by: nameOf(scope), values });
  await rooms.audit(tx, entryOf(scope, 'create orchestration', id));
  rooms.world.reach('orchestrate.definition-written');
  return id;
}

export interface Change {
  readonly scope: Scope;
  readonly id: number;
  readonly sent: Sent;
  readonly ifRevision?: number | undefined;
}

/** Changes the fields that were sent: all or none. */
export async function changeOrchestration(rooms: DefinitionContext, change: Change): Promise<void> {
  const { scope, id, sent } = change;
  const fields = readFields(sent, { outbound: rooms.outbound, now: rooms.world.now() });
  const checked = await checkRebinding(rooms, change, fields);
  await rooms.store.transaction(async (tx) => {
    const stored = await lockForChange(tx, scope, id);
    if (change.ifRevision !== undefined && change.ifRevision !== stored.revision) {
      throw changedMeanwhile(id);
    }
    if (fields.tokenId !== undefined && fields.tokenId !== stored.tokenId && fields.tokenId !== checked) {
      throw changedMeanwhile(id);
    }
    if (fields.tasks !== undefined) await checkDirecting(rooms, tx, { scope, tokenId: checked ?? stored.tokenId });
    await updateOrchestration(tx, id, await mergedValues(rooms, tx, { stored, fields }));
    await rooms.audit(tx, entryOf(scope, 'update orchestration', id));
  });
}

/** Answers the token that the caller may bind; the bound one needs no right. Outside the transaction, which holds a connection. */
async function checkRebinding(
  rooms: DefinitionContext,
  { scope, id }: Change,
  { tokenId }: Fields,
): Promise<number | undefined> {
  if (tokenId === undefined) return undefined;
  if (tokenId === (await readTokenId(rooms.store.db, { id, project: scope.project }))) return undefined;
  await checkToken(rooms, scope, tokenId);
  return tokenId;
}

function changedMeanwhile(id: number): Failure {
  return new Failure('conflict', `Orchestration ${id} was changed meanwhile; read it again and decide anew`);
}

interface Merge {
  readonly stored: StoredOrchestration;
  readonly fields: Fields;
}

async function mergedValues(rooms: DefinitionContext, tx: Transaction, { stored, fields }: Merge): Promise<Values> {
  const timing = {
    id: stored.id,
    crontabRecord: fields.crontab === undefined ? stored.crontabRecord : fields.crontab,
    zone: fields.zone ?? stored.zone,
    catchUp: fields.catchUp ?? stored.catchUp,
    active: fields.active ?? stored.active,
  };
  const isSameTiming = (Object.keys(timing) as (keyof typeof timing)[]).every((key) => timing[key] === stored[key]);
  const tasks = fields.tasks && (await placeTasks(rooms, tx, { tasks: fields.tasks, stored: stored.tasks }));
  const notifications =
    fields.notifications && sealWebhookSecrets(rooms.secrets, fields.notifications, stored.notifications);
  return {
    name: fields.name ?? stored.name,
    crontab: timing.crontabRecord,
    zone: timing.zone,
    overlap: fields.overlap ?? stored.overlap,
    catchUp: timing.catchUp,
    active: timing.active,
    tokenId: fields.tokenId ?? stored.tokenId,
    ownTokenId: stored.ownTokenId,
    tasks: JSON.stringify(tasks ?? stored.tasks),
    notifications: JSON.stringify(notifications ?? stored.notifications),
    nextScheduledTime: isSameTiming ? stored.nextScheduledTime : await reschedule(rooms, tx, timing),
  };
}

/** Binds a new token of its own; the former one that was made for it is revoked. */
export async function renewToken(rooms: DefinitionContext, scope: Scope, id: number): Promise<void> {
  checkMakesTokens(scope);
  await rooms.store.transaction(async (tx) => {
    const stored = await lockForChange(tx, scope, id);
    const tokenId = await makeToken(rooms, tx, { scope, name: stored.name });
    const values = await mergedValues(rooms, tx, { stored: { ...stored, ownTokenId: tokenId }, fields: { tokenId } });
    await updateOrchestration(tx, id, values);
    await revokeFormer(rooms, tx, stored);
    await rooms.audit(tx, entryOf(scope, 'renew token of orchestration', id));
  });
}

interface Placing {
  readonly tasks: readonly NewTask[];
  readonly stored: readonly TaskDefinition[];
}

/**
 * Tasks with their ids, and their secrets sealed. A task keeps the id that it came with when that is the id of a stored
 * one, once; others get new ones.
 */
async function placeTasks(
  rooms: DefinitionContext,
  tx: Transaction,
  { tasks, stored }: Placing,
): Promise<readonly TaskDefinition[]> {
  const known = new Map(stored.map((task) => [task.id, task]));
  const fresh = await takeTaskIds(tx, tasks.length);
  const taken = new Set<number>();
  return tasks.map(({ sentId, actionParameters: parameters, ...settings }, index) => {
    const isKept = sentId !== null && known.has(sentId) && !taken.has(sentId);
    const id = isKept ? sentId : fresh[index]!;
    taken.add(id);
    const former = formerOf(settings, sentId === null ? stored[index] : known.get(sentId));
    const { component } = settings;
    const kept = rooms.parameters.keep({
      id,
      component,
      parameters,
      former,
      field: `tasks[${index}].actionParameters`,
    });
    return { id, ...settings, ...kept } as TaskDefinition;
  });
}

/** The stored task, if it is the same component: secrets never go to another one unseen. */
function formerOf(
  task: Pick<TaskDefinition, 'component' | 'componentUrl'>,
  stored: TaskDefinition | undefined,
): TaskDefinition | undefined {
  const isSame = task.component === stored?.component && task.componentUrl === stored?.componentUrl;
  return isSame ? stored : undefined;
}
