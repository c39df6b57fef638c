import type { FailureRecord } from '../errors.ts';
import type { NewLines } from './tables/log.ts';
import type { TaskRow } from './tables/rows.ts';

/** The attempt that is finished: its task as claimed. */
export type Finishing = Pick<
  TaskRow,
  'id' | 'run_id' | 'fence' | 'retry' | 'retries' | 'losses' | 'continue_on_failure'
>;

export interface Success {
  readonly outcome: 'succeeded' | 'warned';
  readonly warnings: number;
  readonly output: unknown;
  /** Lines of its log that are stored with it. */
  readonly lines?: NewLines | undefined;
}

/** A task that did its work. */
export interface Succeeding {
  readonly task: Finishing;
  readonly success: Success;
}

/** The same of an attempt of this worker. */
export interface SucceedingHere extends Succeeding {
  /** How many tasks of its phase were open when it began. */
  readonly openTasks: number;
}

export interface Failing {
  readonly failure: FailureRecord;
  /** `lost`: the worker vanished. `handed_back`: the worker stops in good order. */
  readonly cause: 'failed' | 'lost' | 'handed_back';
  /** Kept on the task when the failure ends it. */
  readonly output?: unknown;
}

export type FinishOutcome = 'ended' | 'retried' | 'returned' | 'cancelled' | 'dropped';
