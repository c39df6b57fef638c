import { appendFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import type { Deliverer, Engine, RunObserver, RunView } from '../engine/index.ts';
import { Failure } from '../errors.ts';
import { runEvent } from './event.ts';
import type { EventType, RunEvent } from './event.ts';

/** Tells other systems which run read and wrote what, as OpenLineage run events; does nothing without a receiver. */
export interface Lineage {
  readonly observers: readonly RunObserver[];
  readonly deliverers: Readonly<Record<string, Deliverer>>;
}

export interface LineageOptions {
  readonly config: Pick<Config, 'lineageUrl' | 'lineageKey' | 'lineageFile' | 'publicUrl'>;
  readonly engine: Pick<Engine, 'get' | 'tasks' | 'publish'>;
  readonly version: string;
}

const TOPIC = 'lineage';
const KINDS = ['sync', 'orchestration', 'component'];
const TIMEOUT_MS = 10_000;

interface Payload {
  readonly run: string;
  readonly type: EventType;
  readonly at: string;
}

/**
 * Events are put into the outbox in the transaction that changes the run, and made when they are delivered: at least
 * once, a run's start and end each under one key. A run that nobody began has an end only.
 */
export function createLineage(options: LineageOptions): Lineage {
  const { lineageUrl, lineageFile } = options.config;
  if (lineageUrl === null && lineageFile === null) return { observers: [], deliverers: {} };
  const runChanged: RunObserver['runChanged'] = async (tx, run) => {
    const type = typeOf(run);
    if (type === undefined) return;
    const payload: Payload = { run: run.id, type, at: (run.endedAt ?? run.startedAt ?? run.queuedAt).toISOString() };
    await options.engine.publish(tx, { key: `lineage/${run.id}/${type}`, topic: TOPIC, payload });
  };
  return {
    observers: KINDS.map((kind) => ({ kind, runChanged })),
    deliverers: {
      [TOPIC]: {
        isSlow: true,
        async deliver(message) {
          const event = await makeEvent(options, message.payload as Payload);
          if (event === undefined) return;
          if (lineageFile !== null) await appendFile(lineageFile, `${JSON.stringify(event)}\n`, { mode: 0o600 });
          if (lineageUrl !== null) await post(lineageUrl, options.config.lineageKey, event);
        },
      },
    },
  };
}

/** Undefined for states that are no news to lineage. */
function typeOf({ state }: RunView): EventType | undefined {
  switch (state) {
    case 'running':
      return 'START';
    case 'succeeded':
    case 'warned':
      return 'COMPLETE';
    case 'failed':
      return 'FAIL';
    case 'cancelled':
      return 'ABORT';
    default:
      return undefined;
  }
}

/** Undefined when the run is gone: nobody can be told of it any more. */
async function makeEvent({ engine, config, version }: LineageOptions, payload: Payload): Promise<RunEvent | undefined> {
  const run = await engine.get(payload.run);
  if (run === undefined) return undefined;
  const isEnd = payload.type !== 'START';
  const tasks = isEnd && run.kind !== 'orchestration' ? await engine.tasks(run.id) : [];
  const parent = run.parentRunId === null ? undefined : await engine.get(run.parentRunId);
  return runEvent({
    type: payload.type,
    at: payload.at,
    run,
    parent,
    outputs: tasks.map((task) => task.output),
    producer: config.publicUrl ?? `urn:penstock:${version}`,
    version,
  });
}

async function post(url: string, key: string | null, event: RunEvent): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'error',
    headers: { 'content-type': 'application/json', ...(key !== null && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new Failure('unreachable', 'the receiver of lineage events could not be reached', { cause: error });
  });
  await response.body?.cancel();
  if (!response.ok) throw new Failure('unreachable', `the receiver of lineage events answered ${response.status}`);
}
