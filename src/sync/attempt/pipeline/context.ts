import type {
  Checkpoint,
  DestinationSession,
  DestinationTable,
  Durable,
  OpenTable,
  SourceSession,
} from '../../../connectors/kit/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import type { StateFile, StreamProgress, StreamState } from '../../types.ts';
import type { Fit } from '../fit/index.ts';
import type { ChildIo } from '../io.ts';
import type { SyncWork } from '../work.ts';
import { describeState, identityOf } from './checkpoint.ts';
import type { SyncCheckpoint } from './checkpoint.ts';
import { createLimit } from './limit.ts';
import type { Course, Load } from './course.ts';
import type { Meter } from './meter.ts';
import type { Quarantine } from './quarantine.ts';
import type { Sampler } from './sampling.ts';

/** What all streams of a run share. */
export interface RunTools {
  readonly work: SyncWork;
  readonly io: ChildIo;
  /** Aborts on cancel and on the first failure of any stream. */
  readonly signal: AbortSignal;
  readonly source: SourceSession;
  /** One more session, with a moment of its own; closed with the run. */
  openSource(): Promise<SourceSession>;
  /** Ends all work of the run because of a first failure. */
  stop(cause: unknown): void;
  readonly destination: DestinationSession;
  readonly state: StateFile;
  readonly meter: Meter;
  readonly quarantine: Quarantine;
  /** Bounds the readers of all streams together. */
  readonly reading: ReturnType<typeof createLimit>;
  /** There when other tasks of the run may help to read. */
  readonly sharing?: Sharing;
  /** Logs and counts: the run ends `warned`. */
  warn(message: string): void;
}

/** Lets other tasks of the run read chunks of a load, which this process commits. */
export interface Sharing {
  /** The size of chunks to plan with. */
  readonly chunkBytes: number;
  /** The size to plan anew with for a load of so many of them; undefined when their size is right. */
  smallerChunks(count: number): number | undefined;
  /** Reads and commits every chunk that is to do, alone where sharing is not worth it or the source cannot. */
  load(work: StreamWork, load: Load, course: Course): Promise<void>;
}

/** One stream of the run with its table open. */
export interface StreamWork {
  readonly tools: RunTools;
  readonly stream: ResolvedStream;
  readonly table: DestinationTable;
  readonly ledger: Ledger;
  readonly sampler: Sampler;
  /** There when values must become of the types that the table has. */
  readonly fit?: Fit;
  readonly progress: { -readonly [Key in keyof StreamProgress]: StreamProgress[Key] };
}

/** How the destination opens the table of a stream. */
export function describeTable(
  { project, jobId, run }: Pick<SyncWork, 'project' | 'jobId' | 'run'>,
  stream: ResolvedStream,
): OpenTable {
  return {
    name: stream.table,
    columns: stream.tableColumns,
    checkpointKey: `${project}/${jobId}/${stream.id}`,
    run,
    identifier: stream.appendMode ? undefined : '_olake_id',
    partition: stream.partition,
    removal: stream.removal,
  };
}

type Details = Omit<SyncCheckpoint, keyof Checkpoint>;

/** The commits of one stream, one after the other. */
export interface Ledger {
  /** The newest checkpoint of the table. */
  readonly last: SyncCheckpoint | undefined;
  /** Makes the next checkpoint out of `details`, commits with it, then tells the state row. */
  commit(details: () => Partial<Details>, write: (checkpoint: SyncCheckpoint) => Promise<Durable>): Promise<Durable>;
  /** Tells the state row what the table holds, after a crash between the two. */
  repair(): Promise<void>;
  /** The entry of the state row that goes with the place in a common log, where a repair left out that it may. */
  readonly repaired: StreamState | undefined;
}

export function createLedger(tools: RunTools, stream: ResolvedStream, table: DestinationTable): Ledger {
  const { work, io } = tools;
  const inTurn = createLimit(1);
  const identity = identityOf(stream);
  let last = table.checkpoint as SyncCheckpoint | undefined;
  let isRepaired = false;
  const saveState = async (checkpoint: SyncCheckpoint): Promise<void> => {
    const streams = [describeState(stream, checkpoint, !isRepaired)];
    await io.ask({ ask: 'saveState', change: JSON.stringify({ streams }) });
    io.world.reach('sync.state-saved');
  };
  return {
    get last() {
      return last;
    },
    commit: (details, write) =>
      inTurn(async () => {
        tools.signal.throwIfAborted();
        const checkpoint: SyncCheckpoint = {
          ...details(),
          v: 1,
          job: `${work.project}/${work.jobId}`,
          stream: stream.id,
          run: work.run,
          seq: (last?.seq ?? 0) + 1,
          mode: stream.mode,
          identity,
        };
        io.world.reach('sync.before-commit');
        const durable = await write(checkpoint);
        last = checkpoint;
        isRepaired = false;
        io.world.reach('sync.committed');
        await saveState(checkpoint);
        return durable;
      }),
    repair: async () => {
      isRepaired = true;
      if (last) await saveState(last);
    },
    get repaired() {
      return isRepaired && last ? describeState(stream, last) : undefined;
    },
  };
}
