import type { World } from '../../../../world.ts';
import type { AdvancedSettings } from '../../../types.ts';
import { createLimit } from '../limit.ts';

/** A unit of changes ends at either (contract, section 9). */
const UNIT_BYTES = 256 * 1024 * 1024;
const UNIT_MS = 60_000;
/** A job that stays on commits this often unless it says otherwise. */
const CONTINUOUS_MS = 1000;
/** A run that stays on ends after this long; the schedule starts the next one at once. */
const CONTINUOUS_RUN_MS = 24 * 3600_000;
/** Without changes, the source and the state row are told of the place in the log no more often than this. */
const IDLE_SETTLE_MS = 10_000;

/** How often changes become visible, and when a run has read enough. */
export interface Pace {
  /** True when the run goes on after it has reached the end of the log. */
  readonly continuous: boolean;
  /** Bounds how many streams are opened and loaded at once. */
  readonly beginning: ReturnType<typeof createLimit>;
  wantsBoundary(bytes: number): boolean;
  /** Tells of a boundary with so many rows; answers whether the place in the log should be told on. */
  committed(rows: number): boolean;
  isOver(): boolean;
}

export function createPace(world: World, settings: AdvancedSettings, readers: number): Pace {
  const continuous = settings.continuous === true;
  const seconds = settings.commit_interval_seconds;
  const interval = seconds !== undefined ? seconds * 1000 : continuous ? CONTINUOUS_MS : UNIT_MS;
  const begun = world.elapsed();
  let boundaryAt = begun;
  let settledAt = begun;
  return {
    continuous,
    beginning: createLimit(readers),
    wantsBoundary: (bytes) => bytes >= UNIT_BYTES || world.elapsed() - boundaryAt >= interval,
    committed(rows) {
      boundaryAt = world.elapsed();
      if (continuous && rows === 0 && boundaryAt - settledAt < IDLE_SETTLE_MS) return false;
      settledAt = boundaryAt;
      return true;
    },
    isOver: () => continuous && world.elapsed() - begun >= CONTINUOUS_RUN_MS,
  };
}
