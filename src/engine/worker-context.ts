import type { ChildWatch } from './child-watch.ts';
import type { EngineContext } from './context.ts';
import type { LineStore } from './line-store.ts';
import type { Turns } from './turns.ts';

/** What the parts of a worker work with. */
export interface WorkerContext extends EngineContext {
  readonly childWatch: ChildWatch;
  readonly turns: Turns;
  readonly lineStore: LineStore;
}
