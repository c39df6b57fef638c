import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decideFailure,
  decidePhaseEnd,
  isTerminal,
  MOST_LOSSES_IN_ROW,
  nextRunState,
  nextTaskState,
  runEvents,
  runStateAfter,
  runStatesBefore,
  states,
  taskEvents,
  taskStateAfter,
  taskStatesBefore,
} from './state.ts';

const allowedForTasks: Record<string, string> = {
  'planned queue': 'queued',
  'planned cancel': 'cancelled',
  'planned skip': 'skipped',
  'queued claim': 'running',
  'queued cancel': 'cancelled',
  'queued skip': 'skipped',
  'running succeed': 'succeeded',
  'running warn': 'warned',
  'running fail': 'failed',
  'running retry': 'queued',
  'running hand_back': 'queued',
  'running cancel': 'cancelled',
};

const allowedForRuns: Record<string, string> = {
  'planned queue': 'queued',
  'planned cancel': 'cancelled',
  'queued claim': 'running',
  'queued succeed': 'succeeded',
  'queued cancel': 'cancelled',
  'running claim': 'running',
  'running succeed': 'succeeded',
  'running warn': 'warned',
  'running fail': 'failed',
  'running cancel': 'cancelled',
};

const terminal = ['succeeded', 'warned', 'failed', 'cancelled', 'skipped'];

describe('the state machine', () => {
  for (const state of states) {
    for (const event of taskEvents) {
      const expected = allowedForTasks[`${state} ${event}`];
      it(`a ${state} task ${expected ? `becomes ${expected} on` : 'refuses'} ${event}`, () => {
        assert.equal(nextTaskState(state, event), expected);
      });
    }
    for (const event of runEvents) {
      const expected = allowedForRuns[`${state} ${event}`];
      it(`a ${state} run ${expected ? `becomes ${expected} on` : 'refuses'} ${event}`, () => {
        assert.equal(nextRunState(state, event), expected);
      });
    }
    it(`${state} is ${terminal.includes(state) ? '' : 'not '}terminal`, () => {
      assert.equal(isTerminal(state), terminal.includes(state));
    });
  }

  it('never leaves a terminal state, whatever sequence of events arrives', () => {
    let seed = 42;
    const pick = <T>(from: readonly T[]): T => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return from[seed % from.length]!;
    };
    for (let round = 0; round < 2000; round++) {
      let state = pick(states);
      let ended = isTerminal(state) ? state : undefined;
      for (let step = 0; step < 20; step++) {
        state = nextTaskState(state, pick(taskEvents)) ?? state;
        if (ended !== undefined) assert.equal(state, ended);
        else if (isTerminal(state)) ended = state;
      }
    }
  });

  it('leads each event to one state only, so that an update may set it without reading first', () => {
    for (const event of taskEvents) {
      for (const state of taskStatesBefore(event)) assert.equal(nextTaskState(state, event), taskStateAfter(event));
    }
    for (const event of runEvents) {
      for (const state of runStatesBefore(event)) assert.equal(nextRunState(state, event), runStateAfter(event));
    }
  });
});

describe('the decision after a failed attempt', () => {
  const attempt = {
    cancelRequested: false,
    isRetryable: true,
    workerLost: false,
    retriesUsed: 0,
    retryLimit: 2,
    lossesInRow: 0,
  };

  it('retries while the rule allows, then fails', () => {
    assert.equal(decideFailure(attempt), 'retry');
    assert.equal(decideFailure({ ...attempt, retriesUsed: 1 }), 'retry');
    assert.equal(decideFailure({ ...attempt, retriesUsed: 2 }), 'fail');
  });

  it('never retries a failure that cannot go away by itself', () => {
    assert.equal(decideFailure({ ...attempt, isRetryable: false }), 'fail');
  });

  it('does not count a lost worker as a retry, but bounds it', () => {
    const lost = { ...attempt, workerLost: true, retryLimit: 0 };
    assert.equal(decideFailure(lost), 'hand_back');
    assert.equal(decideFailure({ ...lost, lossesInRow: MOST_LOSSES_IN_ROW - 2 }), 'hand_back');
    assert.equal(decideFailure({ ...lost, lossesInRow: MOST_LOSSES_IN_ROW - 1 }), 'fail');
  });

  it('calls any failure after a cancel request cancelled', () => {
    assert.equal(decideFailure({ ...attempt, cancelRequested: true }), 'cancel');
    assert.equal(decideFailure({ ...attempt, cancelRequested: true, workerLost: true }), 'cancel');
  });
});

describe('the decision at the end of a phase', () => {
  const end = { hasFailed: false, hasCancelled: false, hasWarned: false, hasNextPhase: false };

  it('goes on while nothing failed, also after a warning', () => {
    assert.equal(decidePhaseEnd({ ...end, hasNextPhase: true }), 'next_phase');
    assert.equal(decidePhaseEnd({ ...end, hasNextPhase: true, hasWarned: true }), 'next_phase');
  });

  it('stops before the next phase after a failure or a cancel', () => {
    assert.equal(decidePhaseEnd({ ...end, hasNextPhase: true, hasFailed: true }), 'fail');
    assert.equal(decidePhaseEnd({ ...end, hasNextPhase: true, hasCancelled: true, hasFailed: true }), 'cancel');
  });

  it('ends warned when something warned, else succeeded', () => {
    assert.equal(decidePhaseEnd({ ...end, hasWarned: true }), 'warn');
    assert.equal(decidePhaseEnd(end), 'succeed');
  });
});
