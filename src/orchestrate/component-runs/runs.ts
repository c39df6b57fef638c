import { mayCall, type StorageToken } from '../../access/index.ts';
import type { RunView, State } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { makeOnce } from '../repeats.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Scope } from '../types.ts';
import type { Jobs } from '../jobs/types.ts';
import { asCreated } from '../jobs/view.ts';
import type { Catalog } from './catalog.ts';
import { statusOf, toQueueRun } from './describe.ts';
import { parseFilter } from './filter.ts';
import { nameTokens, tokensOf, writeToken } from './names.ts';
import { readEnvelope, readParameters } from './parameters.ts';
import { parentOf } from './parent.ts';
import { COMPONENT_RUN, planComponentRun } from './plan.ts';
import { toQuery } from './query.ts';
import { readComponentRows } from './tables.ts';
import { noteTurn } from './turn.ts';
import type { ComponentAsk, ComponentRuns, QueueRun } from './types.ts';

export type ComponentRunRooms = OrchestrateRooms & { readonly catalog: Catalog; readonly jobs: Pick<Jobs, 'start'> };

const LIVING: readonly State[] = ['planned', 'queued', 'running'];

/** Component runs and the queue on the engine. */
export function createComponentRuns(rooms: ComponentRunRooms): ComponentRuns {
  const get = async (number: number): Promise<QueueRun> => {
    const [run] = await toQueueRuns(rooms, [await findRun(rooms, number)]);
    if (run === undefined) throw noRun(number);
    return run;
  };
  return {
    list: () => rooms.catalog.list(),
    async start(scope, ask) {
      const made = await startRun(rooms, scope, ask);
      const run = await rooms.engine.get(made);
      const [shown] = run === undefined ? [] : await toQueueRuns(rooms, [asCreated(run)]);
      if (shown === undefined)
        throw new Failure('not_found', 'the run that this idempotency key made is not there any more');
      return { ...shown, result: null, error: null };
    },
    get,
    async queue({ filter, limit, offset }) {
      const { runs, total } = await rooms.engine.list({ ...toQuery(parseFilter(filter)), limit, offset });
      return { runs: await toQueueRuns(rooms, runs), total };
    },
    async kill(scope, number) {
      const run = await findRun(rooms, number);
      const subject = `job ${number}`;
      const entry = { ...scope.actor, action: 'kill job', project: scope.project, subject };
      const beside = (tx: Transaction): Promise<void> => rooms.audit(tx, entry);
      const by = writeToken(scope.caller.token.id);
      if (!(await rooms.engine.cancel(run.id, by, { onlyIn: LIVING, beside }))) {
        const now = (await rooms.engine.get(run.id)) ?? run;
        throw new Failure('conflict', `Job ${number} is ${statusOf(now)}; only jobs that have not ended can be killed`);
      }
      return get(number);
    },
  };
}

/** Throws `forbidden` when the token is limited to other components. */
export function checkMayCall(token: StorageToken, component: string): void {
  if (mayCall(token, component)) return;
  throw new Failure('forbidden', `Token ${token.id} must not call component '${component}'`);
}

async function startRun(rooms: ComponentRunRooms, scope: Scope, ask: ComponentAsk): Promise<string> {
  const { project, caller } = scope;
  const found = rooms.catalog.find(ask.component);
  if (found === undefined) throw new Failure('not_found', `Component '${ask.component}' not found`);
  if (found.kind === 'orchestrator') return startOrchestration(rooms, scope, ask);
  if (found.kind === 'remote') {
    throw new Failure('bad_request', `Component '${ask.component}' can only be called by a task of an orchestration`);
  }
  checkMayCall(caller.token, ask.component);
  const { spec } = found;
  const asked = ask.envelope ? readEnvelope(spec, ask.body) : readParameters(spec, ask.body);
  const plan = planComponentRun(rooms, { spec, ...asked, project, tokenId: caller.token.id });
  const parent = await parentOf(rooms.engine, project, caller.parentPath);
  const make = async (tx: Transaction): Promise<string> => {
    const started = await rooms.engine.start({ ...plan, ...parent, trigger: 'api' }, tx);
    await noteTurn(rooms, tx, { started, lane: plan.lane });
    await rooms.audit(tx, { ...scope.actor, action: 'run component', project, subject: ask.component });
    return started.runId;
  };
  const { made } = await rooms.store.transaction((tx) =>
    makeOnce(tx, { caller, path: ask.path, body: ask.body }, () => make(tx)),
  );
  return made;
}

/** The same as `POST /run`. */
async function startOrchestration(rooms: ComponentRunRooms, scope: Scope, ask: ComponentAsk): Promise<string> {
  const { configData, ...rest } = ask.body;
  const data = isObject(configData) ? (isObject(configData['parameters']) ? configData['parameters'] : configData) : {};
  if (ask.envelope && rest['config'] === undefined && configData === undefined) {
    throw new Failure('bad_request', "Specify 'config' or 'configData'.");
  }
  const job = await rooms.jobs.start(scope, { path: ask.path, sent: { ...data, ...rest } });
  return job.run.id;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function toQueueRuns(rooms: ComponentRunRooms, runs: readonly RunView[]): Promise<readonly QueueRun[]> {
  const own = runs.filter((run) => run.kind === COMPONENT_RUN).map((run) => run.id);
  const rows = await readComponentRows(rooms.store.db, own);
  const names = await nameTokens(rooms.tokens, tokensOf(runs));
  return runs.map((run) => toQueueRun(run, rows.get(run.id), names));
}

/** Runs that count as a component, whoever started them; the others of the engine are nobody's business here. */
async function findRun(rooms: ComponentRunRooms, number: number): Promise<RunView> {
  const run = await rooms.engine.getByNumber(number);
  if (run?.labels['component'] === undefined) throw noRun(number);
  return run;
}

function noRun(number: number): Failure {
  return new Failure('not_found', `Job ${number} not found`);
}
