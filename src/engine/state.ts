import type { State } from './types.ts';

/** What can happen to a task. */
export type TaskEvent = 'queue' | 'claim' | 'succeed' | 'warn' | 'fail' | 'retry' | 'hand_back' | 'cancel' | 'skip';

/** What can happen to a run. */
export type RunEvent = 'queue' | 'claim' | 'succeed' | 'warn' | 'fail' | 'cancel';

type Table<Event extends string> = Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>>;

const taskTransitions: Table<TaskEvent> = {
  planned: { queue: 'queued', cancel: 'cancelled', skip: 'skipped' },
  queued: { claim: 'running', cancel: 'cancelled', skip: 'skipped' },
  running: {
    succeed: 'succeeded',
    warn: 'warned',
    fail: 'failed',
    retry: 'queued',
    hand_back: 'queued',
    cancel: 'cancelled',
  },
  succeeded: {},
  warned: {},
  failed: {},
  cancelled: {},
  skipped: {},
};

const runTransitions: Table<RunEvent> = {
  planned: { queue: 'queued', cancel: 'cancelled' },
  // A run of which nothing is to be executed ends without having been claimed.
  queued: { claim: 'running', succeed: 'succeeded', cancel: 'cancelled' },
  // Every claim of a task claims the run again.
  running: { claim: 'running', succeed: 'succeeded', warn: 'warned', fail: 'failed', cancel: 'cancelled' },
  succeeded: {},
  warned: {},
  failed: {},
  cancelled: {},
  skipped: {},
};

export const states = Object.keys(taskTransitions) as readonly State[];
export const taskEvents: readonly TaskEvent[] = [
  'queue',
  'claim',
  'succeed',
  'warn',
  'fail',
  'retry',
  'hand_back',
  'cancel',
  'skip',
];
export const runEvents: readonly RunEvent[] = ['queue', 'claim', 'succeed', 'warn', 'fail', 'cancel'];

/** The state of a task after `event`; undefined when the event may not happen in this state. */
export function nextTaskState(state: State, event: TaskEvent): State | undefined {
  return taskTransitions[state][event];
}

/** The state of a run after `event`; undefined when the event may not happen in this state. */
export function nextRunState(state: State, event: RunEvent): State | undefined {
  return runTransitions[state][event];
}

/** The states in which a task accepts `event`: what a guarded update compares with. */
export function taskStatesBefore(event: TaskEvent): readonly State[] {
  return states.filter((state) => taskTransitions[state][event] !== undefined);
}

/** The states in which a run accepts `event`. */
export function runStatesBefore(event: RunEvent): readonly State[] {
  return states.filter((state) => runTransitions[state][event] !== undefined);
}

/** Where `event` leads a task, from whatever state accepts it. */
export function taskStateAfter(event: TaskEvent): State {
  const [before] = taskStatesBefore(event);
  return taskTransitions[before!][event]!;
}

/** Where `event` leads a run, from whatever state accepts it. */
export function runStateAfter(event: RunEvent): State {
  const [before] = runStatesBefore(event);
  return runTransitions[before!][event]!;
}

/** Terminal states accept nothing and never change. */
export function isTerminal(state: State): boolean {
  return Object.keys(taskTransitions[state]).length === 0;
}

export interface FailedAttempt {
  readonly cancelRequested: boolean;
  /** The failure's kind may be tried again. */
  readonly isRetryable: boolean;
  /** The worker vanished; says nothing about the work, so it does not use up the task's own retries. */
  readonly workerLost: boolean;
  readonly retriesUsed: number;
  readonly retryLimit: number;
  /** Workers lost one after another, this one not counted. */
  readonly lossesInRow: number;
}

/** A task that has lost this many workers in a row is taken to kill them, and fails. */
export const MOST_LOSSES_IN_ROW = 5;

/** What a failed attempt means for its task. */
export function decideFailure(attempt: FailedAttempt): 'cancel' | 'retry' | 'hand_back' | 'fail' {
  if (attempt.cancelRequested) return 'cancel';
  if (attempt.workerLost) return attempt.lossesInRow + 1 < MOST_LOSSES_IN_ROW ? 'hand_back' : 'fail';
  return attempt.isRetryable && attempt.retriesUsed < attempt.retryLimit ? 'retry' : 'fail';
}

export interface PhaseEnd {
  readonly hasFailed: boolean;
  readonly hasCancelled: boolean;
  readonly hasWarned: boolean;
  readonly hasNextPhase: boolean;
}

/** What the end of a phase means for its run: the next phase, or how the run ends. */
export function decidePhaseEnd(end: PhaseEnd): 'next_phase' | Exclude<RunEvent, 'queue' | 'claim'> {
  if (end.hasCancelled) return 'cancel';
  if (end.hasFailed) return 'fail';
  if (end.hasNextPhase) return 'next_phase';
  return end.hasWarned ? 'warn' : 'succeed';
}
