import type { Transaction } from '../../store/index.ts';
import type { Definitions } from '../definitions/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Channel } from '../types.ts';
import { causeKeyOf, toAlertTask } from './failures.ts';
import { oneLine, showSpan } from './plain.ts';
import { readAlertTasks, readFormer } from './tables.ts';
import type { AlertJob, AlertTask, Facts } from './types.ts';

export type AlertRooms = Pick<
  OrchestrateRooms,
  'config' | 'world' | 'store' | 'engine' | 'tokens' | 'messages' | 'ownOrigins'
> & { readonly definitions: Pick<Definitions, 'parameters'> };

/** What happened: a channel, with the limit of a deadline. */
export interface Occasion {
  readonly channel: Channel;
  readonly limit: number | null;
}

const MOST_TASKS = 10;
const LONGEST_NAME = 255;

type Reason = Pick<Facts, 'tasks' | 'taskCount' | 'cause' | 'advice' | 'causeKey'>;

/** Collects what an alert says, by the caller's transaction alone. */
export async function collectFacts(
  rooms: AlertRooms,
  tx: Transaction,
  { job, channel, limit }: Occasion & { readonly job: AlertJob },
): Promise<Facts> {
  const reason = await reasonOf(rooms, tx, { job, channel });
  const names = await rooms.tokens.describe([job.initiatorId], tx);
  return {
    channel,
    limit,
    job,
    projectName: oneLine(rooms.config.projectName, LONGEST_NAME),
    orchestrationName: oneLine(job.orchestrationName, LONGEST_NAME),
    url: linkTo(rooms, job),
    initiator: oneLine(names.get(job.initiatorId)?.description ?? '', LONGEST_NAME),
    ...reason,
    others: await rooms.messages.countOfCause(tx, job.project, reason.causeKey),
    now: rooms.world.now(),
  };
}

async function reasonOf(
  rooms: AlertRooms,
  tx: Transaction,
  { job, channel }: { readonly job: AlertJob; readonly channel: Channel },
): Promise<Reason> {
  if (channel === 'waiting') return reasonOfWaiting(tx, job);
  const state = channel === 'processing' ? 'running' : 'failed';
  const rows = await readAlertTasks(tx, { runId: job.runId, state, limit: MOST_TASKS });
  const tasks = rows.map((row) => toAlertTask(row, rooms.definitions.parameters));
  const shown = { tasks, taskCount: rows[0]?.total ?? 0 };
  if (channel !== 'processing') return { ...shown, ...reasonOfFailure(tasks[0]) };
  return {
    ...shown,
    cause: `Jobs of this orchestration usually take ${showSpan((job.usualSeconds ?? 0) * 1000)}`,
    advice: 'Look at what the running tasks wait for, or kill the job.',
    causeKey: `orchestration ${job.orchestrationId} is slow`,
  };
}

function reasonOfFailure(first: AlertTask | undefined): Pick<Facts, 'cause' | 'advice' | 'causeKey'> {
  if (first === undefined) return { cause: 'No task says why', advice: 'Look at the events of the job.', causeKey: '' };
  const where = first.position === null ? 'Start of the job' : `Task ${first.position} (${first.name})`;
  const cause = first.message === '' ? `${where} failed` : `${where}: ${first.message}`;
  return { cause, advice: first.advice, causeKey: causeKeyOf(first) };
}

async function reasonOfWaiting(tx: Transaction, job: AlertJob): Promise<Reason> {
  const former = await readFormer(tx, job);
  const rest = { tasks: [], taskCount: 0, causeKey: `orchestration ${job.orchestrationId} waits` };
  if (former === undefined) {
    return { ...rest, cause: 'No worker has taken it', advice: 'Check that a worker runs and has free slots.' };
  }
  return {
    ...rest,
    cause: `Job ${former} of the same orchestration has not ended`,
    advice: `Look at job ${former}: wait for its end, or kill it.`,
  };
}

/** Where people reach this server, else where it listens; null while neither is known. */
function linkTo({ config, ownOrigins }: AlertRooms, { number }: AlertJob): string | null {
  const everywhere = /^https?:\/\/(0\.0\.0\.0|\[::\])(:|$)/;
  const base = config.publicUrl ?? ownOrigins().find((origin) => !everywhere.test(origin));
  return base === undefined ? null : `${base.replace(/\/+$/, '')}/jobs/${number}`;
}
