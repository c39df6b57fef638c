import type { RunView } from '../../engine/index.ts';
import { Failure, fromRecord } from '../../errors.ts';
import type { ComponentCall, ComponentSpec, CreateComponent, Parameters, Syncs } from '../kit/index.ts';
import { describeSync } from './result.ts';

const DEFAULT_PROJECT = 'olake';
const MOST_STREAMS = 1000;
/** A cancelled sync ends its child process within 8 s; the engine ends one that does not. */
const GRACE_MS = 30_000;

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['jobId'],
  properties: {
    jobId: { type: 'integer', minimum: 1, title: 'Job', description: 'Id of the sync job.' },
    projectId: {
      type: 'string',
      minLength: 1,
      maxLength: 300,
      default: DEFAULT_PROJECT,
      title: 'Project',
      description: 'The project that the job belongs to.',
    },
    streams: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_STREAMS,
      uniqueItems: true,
      items: { type: 'string', minLength: 1, maxLength: 1000 },
      title: 'Streams',
      description:
        'Names of selected streams to sync, with their namespace where a name occurs twice. All when absent.',
    },
    clearDestination: {
      type: 'boolean',
      default: false,
      title: 'Clear the destination first',
      description: 'Empties the tables of these streams, then loads them anew.',
    },
  },
};

interface Ask {
  readonly jobId: number;
  readonly projectId: string;
  readonly streams?: readonly string[];
  readonly clearDestination: boolean;
}

function readAsk(parameters: Parameters): Ask {
  const { jobId, projectId = DEFAULT_PROJECT, streams, clearDestination = false } = parameters as Partial<Ask>;
  return { jobId: jobId as number, projectId, ...(streams && { streams }), clearDestination };
}

/** Runs a sync job and waits for its end: the same run that the job's own start makes. */
export const component: CreateComponent = ({ syncs }) =>
  ({
    id: 'penstock.sync',
    name: 'Sync',
    description:
      'Runs a sync job and waits until it has ended. While another run of the job lives, it waits for that first.',
    schema,
    configParameter: 'jobId',
    waits: true,
    graceMs: GRACE_MS,
    isOffBecause: null,
    lockKey: (parameters) => {
      const { projectId, jobId } = readAsk(parameters);
      return `olake-job/${projectId}/${jobId}`;
    },
    execute: (call) => runSync(syncs, call, readAsk(call.parameters)),
  }) satisfies ComponentSpec;

async function runSync(syncs: Syncs, call: ComponentCall, ask: Ask): Promise<unknown> {
  if (ask.clearDestination) {
    call.attempt.log('info', `Clears the destination of job ${ask.jobId}`);
    await runChild(syncs, call, { ...ask, kind: 'clear' });
  }
  return describeSync(await runChild(syncs, call, { ...ask, kind: 'sync' }));
}

/** The child once it has ended well; started when no other run of the job lives any more. */
async function runChild(
  syncs: Syncs,
  { attempt }: ComponentCall,
  { kind, projectId, jobId, streams }: Ask & { readonly kind: 'sync' | 'clear' },
): Promise<RunView> {
  for (;;) {
    attempt.signal.throwIfAborted();
    const ask = { kind, projectId, jobId, ...(streams && { streams }) };
    const started = await attempt.reading(() => syncs.start(attempt, ask));
    if (started.outcome === 'busy') {
      attempt.log('info', `Another run of job ${jobId} has not ended; waits for it`);
      await attempt.childEnded(started.runId, attempt.signal);
      continue;
    }
    attempt.log('info', `Run ${started.number} (${kind} of job ${jobId}) is ${started.outcome}`);
    const run = await awaitEnd(attempt, started.runId);
    if (run.state === 'cancelled') await attempt.reading(() => syncs.cancelAlike(attempt));
    return checkEnd(run);
  }
}

/** A cancel of this run cancels the child as well; it ends with the child, or when its grace is over. */
async function awaitEnd(attempt: ComponentCall['attempt'], runId: string): Promise<RunView> {
  const run = await attempt.childEnded(runId, attempt.signal).catch(async (reason: unknown) => {
    const isFinal = reason instanceof Failure && (reason.kind === 'cancelled' || reason.kind === 'timed_out');
    if (attempt.signal.aborted && isFinal) {
      await attempt.childEnded(runId, AbortSignal.timeout(GRACE_MS - 2000)).catch(() => undefined);
    }
    throw reason;
  });
  if (run === undefined) throw new Failure('object_missing', 'The run that this task started was removed');
  return run;
}

function checkEnd(run: RunView): RunView {
  if (run.state === 'succeeded' || run.state === 'warned') return run;
  if (run.state === 'cancelled') throw new Failure('cancelled', `Run ${run.number} of the job was cancelled`);
  if (run.error) throw fromRecord(run.error);
  throw new Failure('internal', `run ${run.id} ended as ${run.state}`);
}
