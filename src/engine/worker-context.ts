import type { ChildWatch } from './child-watch.ts';
import type { EngineContext } from './context.ts';
import type { FinishOutcome, SucceedingHere } from './ending.ts';
import type { LineStore } from './line-store.ts';
import type { AcceptedRun, StoredRun } from './tables/accept.ts';
import type { Owner } from './tables/finish.ts';
import type { EndedRun, LastEnd } from './tables/work-ends.ts';
import type { Turns } from './turns.ts';

/** A run that a task starts. */
export interface NewChild {
  readonly rows: AcceptedRun;
  readonly parent: Owner;
}

/** What the parts of a worker work with. */
export interface WorkerContext extends EngineContext {
  readonly childWatch: ChildWatch;
  readonly turns: Turns<SucceedingHere, FinishOutcome>;
  readonly lineStore: LineStore;
  /** Accepts a child, with others that come at the same time; undefined when it could not. */
  readonly childStarts: (child: NewChild) => Promise<StoredRun | undefined>;
  /** Ends the last task of a run, with others (`endLastTasks`). */
  readonly lastEnds: (end: LastEnd) => Promise<EndedRun | undefined>;
}
