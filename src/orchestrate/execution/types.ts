import type { StorageToken } from '../../access/index.ts';
import type { Attempt } from '../../engine/index.ts';
import type { Catalog } from '../component-runs/catalog.ts';
import type { JobRooms } from '../jobs/jobs.ts';
import type { TaskInput } from '../jobs/plan.ts';
import type { CallComponent } from '../protocol/types.ts';

/** What tasks of jobs need to be executed. */
export type ExecutionRooms = JobRooms & {
  readonly catalog: Catalog;
  readonly callComponent: CallComponent;
  /** Origins under which this server is reached: calls of them never leave the process. */
  readonly ownOrigins: () => readonly string[];
  /** Of this product. */
  readonly version: string;
  readonly minuteMs: number;
};

/** One task that is being executed. */
export interface Step extends TaskInput {
  readonly attempt: Attempt;
  /** Aborts with the attempt, and with the time limit of the task. */
  readonly signal: AbortSignal;
  /** The token that the job acts with. */
  readonly tokenId: number;
  /** Undefined when it is gone. */
  readonly token: StorageToken | undefined;
  /** The parameters in clear. */
  readonly parameters: Readonly<Record<string, unknown>>;
}
