import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, LogEntry, RunView } from '../../engine/index.ts';
import type { Queryable } from '../../store/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { ORCHESTRATION_RUN } from '../component-runs/describe.ts';
import { countFromOne } from './wording.ts';
import { comparePlaces, openLines, parsePlace, showPlace, type Line, type Lines, type Place } from './lines.ts';
import { readPositions } from './tables.ts';
import type { JobEvent } from './types.ts';

/** Lines are stored this long after they were written at the latest: younger ones of a living job may still get elders. */
const SETTLED_MS = 1000;
/** Between two looks for new events: longer while there are none. */
const FOLLOW_MS = 250;
const LONGEST_FOLLOW_MS = 2000;
const FOLLOW_LINES = 500;
const MOST_RUNS = 10_000;
const OWN_LINE = /^(?:[a-z ]+[;:] )?Task (\d+)\b/;
const GOOD_END = /^Task \d+ .* ended with success/;

/** What a job and its descendants told after an event, in the order of time (4.11). */
export async function readEvents(
  rooms: Pick<OrchestrateRooms, 'engine' | 'store' | 'world'>,
  job: RunView,
  ask: { readonly after: string | null; readonly limit: number },
): Promise<readonly JobEvent[]> {
  const { engine, world } = rooms;
  const after = ask.after === null ? null : parsePlace(ask.after);
  const until = job.endedAt === null ? world.now().getTime() - SETTLED_MS : Infinity;
  const { runs } = await engine.list({ project: job.project, pathPrefix: job.path, limit: MOST_RUNS, offset: 0 });
  const positions = await positionsOf(rooms.store.db, job, runs);
  const events: JobEvent[] = [];
  for await (const { place, entry, run } of mergeLines(engine, runs, after)) {
    if (place.time > until) break;
    const isOwn = run.id === job.id && run.kind === ORCHESTRATION_RUN;
    const told = isOwn ? { ...entry, message: countFromOne(entry.message) } : entry;
    events.push(toEvent({ place, entry: told, run }, isOwn ? ownPosition(told) : (positions.get(run.id) ?? null)));
    if (events.length >= ask.limit) break;
  }
  return events;
}

/** Pages of events as they come, until the job has ended and all of them were given, or the signal aborts. */
export async function* followEvents(
  rooms: Pick<OrchestrateRooms, 'engine' | 'store' | 'world'>,
  job: RunView,
  ask: { readonly after: string | null; readonly signal: AbortSignal },
): AsyncIterable<readonly JobEvent[]> {
  let { after } = ask;
  let pauseMs = FOLLOW_MS;
  for (
    let run: RunView | undefined = job;
    run !== undefined && !ask.signal.aborted;
    run = await rooms.engine.get(job.id)
  ) {
    const page = await readEvents(rooms, run, { after, limit: FOLLOW_LINES });
    after = page.at(-1)?.id ?? after;
    pauseMs = page.length > 0 ? FOLLOW_MS : Math.min(pauseMs * 1.5, LONGEST_FOLLOW_MS);
    if (page.length > 0) yield page;
    else if (run.endedAt !== null) return;
    else await delay(pauseMs, undefined, { signal: ask.signal }).catch(() => {});
  }
}

/** The lines of all runs by time. A log is opened when its run was there at the time that has been reached. */
async function* mergeLines(
  engine: Pick<Engine, 'readLog'>,
  runs: readonly RunView[],
  after: Place | null,
): AsyncIterable<Line> {
  const closed = runs.toSorted((a, b) => a.queuedAt.getTime() - b.queuedAt.getTime());
  const open: Lines[] = [];
  for (;;) {
    let first = firstOf(open);
    while (
      closed[0] !== undefined &&
      (first?.head === undefined || closed[0].queuedAt.getTime() <= first.head.place.time)
    ) {
      const lines = await openLines(engine, closed.shift()!, after);
      if (lines.head !== undefined) open.push(lines);
      first = firstOf(open);
    }
    if (first?.head === undefined) return;
    yield first.head;
    await first.advance();
    if (first.head === undefined) open.splice(open.indexOf(first), 1);
  }
}

function firstOf(open: readonly Lines[]): Lines | undefined {
  return open.reduce<Lines | undefined>(
    (first, lines) =>
      first?.head !== undefined && lines.head !== undefined && comparePlaces(first.head.place, lines.head.place) <= 0
        ? first
        : lines,
    undefined,
  );
}

/** Which task of the job a descendant belongs to. */
async function positionsOf(
  db: Queryable,
  job: RunView,
  runs: readonly RunView[],
): Promise<ReadonlyMap<string, number>> {
  if (job.kind !== ORCHESTRATION_RUN) return new Map();
  const keys = await readPositions(db, job.id);
  const positions = new Map<string, number>();
  for (const run of runs.toSorted((a, b) => a.number - b.number)) {
    const position = keys.get(run.parentTaskId ?? '') ?? positions.get(run.parentRunId ?? '');
    if (position !== undefined) positions.set(run.id, position);
  }
  return positions;
}

function ownPosition(entry: LogEntry): number | null {
  const [, number] = OWN_LINE.exec(entry.message) ?? [];
  return number === undefined ? null : Number(number) - 1;
}

function toEvent({ place, entry, run }: Line, taskIndex: number | null): JobEvent {
  const isGood = entry.level === 'info' && GOOD_END.test(entry.message);
  const types = { debug: 'info', info: 'info', warn: 'warn', error: 'error', fatal: 'error' } as const;
  return {
    id: showPlace(place),
    created: new Date(place.time),
    type: isGood ? 'success' : types[entry.level],
    message: entry.message,
    runId: run.path,
    taskIndex,
  };
}
