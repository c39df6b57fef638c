import type { Deliverer, RunObserver } from '../../engine/index.ts';
import type { ScheduleKind } from '../../schedule/index.ts';
import type { StatusWord } from '../component-runs/types.ts';
import type { OrchestrationView } from '../definitions/types.ts';
import type { Ask } from '../jobs/types.ts';
import type { Scope } from '../types.ts';

/** Why a tick has no job of its own. */
export type TickOutcome = 'missed' | 'coalesced' | 'skipped' | 'refused';

export interface UnmadeTick {
  readonly dueAt: Date;
  readonly outcome: TickOutcome;
  /** For people. */
  readonly reason: string | null;
}

/** The schedule of an orchestration as people look at it. */
export interface ScheduleView {
  readonly orchestration: OrchestrationView;
  /** The next ticks; none while it is inactive or has no crontab record. */
  readonly nextTimes: readonly Date[];
  /** The latest ticks that made no job of their own, newest first. */
  readonly unmade: readonly (UnmadeTick & { readonly job: number | null })[];
  /** Why the scheduler could not see to the latest tick. */
  readonly lastError: string | null;
}

export type BackfillState = 'active' | 'done' | 'cancelled' | 'failed';

/** Jobs for the ticks of an interval of the past. */
export interface Backfill {
  readonly id: number;
  readonly orchestrationId: number;
  readonly from: Date;
  /** Not part of the interval. */
  readonly to: Date;
  readonly times: readonly Date[];
  /** How many of the times have got their job, in their order. */
  readonly made: number;
  /** How many of its jobs may wait or run. */
  readonly concurrency: number;
  readonly state: BackfillState;
  readonly message: string | null;
  readonly createdTime: Date;
  readonly endedTime: Date | null;
}

export interface BackfillJob {
  readonly logicalTime: Date;
  /** Both null until it is made. */
  readonly number: number | null;
  readonly status: StatusWord | null;
}

export interface BackfillView extends Backfill {
  /** One for each time, in their order. */
  readonly jobs: readonly BackfillJob[];
}

/** Schedules of orchestrations, and jobs for instants of the past. */
export interface Schedules {
  /** For the scheduler: `orchestrationSchedules`. */
  readonly fireAll: ScheduleKind['fireAll'];
  get(project: string, orchestrationId: number): Promise<ScheduleView>;
  /**
   * `sent`: `from`, `to`, `concurrency`. Throws `bad_request` for an interval without ticks or with more than 1000, and
   * without crontab record or tasks; `conflict` while another backfill of the orchestration is active.
   */
  startBackfill(scope: Scope, ask: Ask & { readonly orchestrationId: number }): Promise<BackfillView>;
  /** Newest first. */
  listBackfills(project: string, orchestrationId: number): Promise<readonly BackfillView[]>;
  getBackfill(project: string, which: BackfillId): Promise<BackfillView>;
  /** Makes no further job, and cancels those that wait; one that runs goes on. `conflict` unless it is active. */
  cancelBackfill(scope: Scope, which: BackfillId): Promise<BackfillView>;
  readonly observer: RunObserver;
  readonly deliverers: Readonly<Record<string, Deliverer>>;
}

export interface BackfillId {
  readonly orchestrationId: number;
  readonly id: number;
}
