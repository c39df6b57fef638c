import type { Engine, LogEntry, RunView } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';

/** Where a line stands among the lines of several runs. */
export interface Place {
  /** Milliseconds. */
  readonly time: number;
  /** Number of the run. */
  readonly run: number;
  /** Among the lines of that run and time. */
  readonly position: number;
}

export interface Line {
  readonly place: Place;
  readonly entry: LogEntry;
  readonly run: RunView;
}

/** The log of one run, read page by page. */
export interface Lines {
  /** The next line; undefined when there is none for now. */
  readonly head: Line | undefined;
  advance(): Promise<void>;
}

const PAGE_LINES = 200;
/** Attempts at the same time store their lines in bundles: a line may stand this far behind younger ones. */
const BUNDLED_MS = 2000;
/** A worker's last lines may be stored a little after the end of its run. */
const LATE_MS = 60_000;

export function comparePlaces(a: Place, b: Place): number {
  return a.time - b.time || a.run - b.run || a.position - b.position;
}

export function showPlace({ time, run, position }: Place): string {
  return `${time}-${run}-${position}`;
}

/** Throws `bad_request` for a text that no event has. */
export function parsePlace(text: string): Place {
  const [, time, run, position] = /^(\d{1,15})-(\d{1,15})-(\d{1,9})$/.exec(text) ?? [];
  if (position === undefined) throw new Failure('bad_request', 'after: the id of an event is expected');
  return { time: Number(time), run: Number(run), position: Number(position) };
}

type Reader = Pick<Engine, 'readLog'>;

/** Opens the log of a run at the first line after a place. */
export async function openLines(engine: Reader, run: RunView, after: Place | null): Promise<Lines> {
  const isPast = after !== null && run.endedAt !== null && run.endedAt.getTime() + LATE_MS < after.time;
  if (isPast) return { head: undefined, advance: async () => {} };
  const time = after?.time ?? 0;
  const early = time - BUNDLED_MS;
  const source = readLines(engine, run, run.queuedAt.getTime() >= early ? 0 : await findTime(engine, run, early));
  const next = async (): Promise<Line | undefined> => (await source.next()).value;
  const isSeen = ({ place }: Line): boolean => after !== null && comparePlaces(place, after) <= 0;
  let head = await next();
  while (head !== undefined && isSeen(head)) head = await next();
  return {
    get head() {
      return head;
    },
    async advance() {
      head = await next();
    },
  };
}

/** The lines of a run in the order of time. */
async function* readLines(engine: Reader, run: RunView, from: number): AsyncGenerator<Line, undefined> {
  let held: LogEntry[] = [];
  let last = { time: -1, position: 0 };
  for (let cursor = from; ;) {
    const page = await engine.readLog(run.id, { cursor, limit: PAGE_LINES, direction: 'newer', hideDebug: true });
    const isOver = page === undefined || page.entries.length === 0;
    held = [...held, ...(page?.entries ?? [])].toSorted((a, b) => timeOf(a) - timeOf(b));
    const youngest = held.at(-1);
    const until = isOver || youngest === undefined ? Infinity : timeOf(youngest) - BUNDLED_MS;
    const ready = held.filter((entry) => timeOf(entry) <= until);
    for (const entry of ready) {
      const time = timeOf(entry);
      last = { time, position: time === last.time ? last.position + 1 : 0 };
      yield { place: { ...last, run: run.number }, entry, run };
    }
    if (isOver) return undefined;
    held = held.slice(ready.length);
    cursor = page.newerCursor;
  }
}

/** A byte offset with no line of this time or later before it: found by halves, lines being in the order of time. */
async function findTime(engine: Reader, run: RunView, time: number): Promise<number> {
  const last = await engine.readLog(run.id, { cursor: -1, limit: 1, direction: 'older', hideDebug: true });
  let low = 0;
  let high = last?.newerCursor ?? 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const page = await engine.readLog(run.id, { cursor: middle, limit: 1, direction: 'newer', hideDebug: true });
    const entry = page?.entries[0];
    if (page === undefined || entry === undefined || timeOf(entry) >= time) high = middle;
    else low = Math.max(middle + 1, page.newerCursor);
  }
  return low;
}

function timeOf(entry: LogEntry): number {
  return Date.parse(entry.time);
}
