import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TaskDefinition } from '../types.ts';
import { applyOverride } from './override.ts';
import { groupPhases } from './phases.ts';
import { selectForRetry, type OldEnd } from './retry.ts';

function task(more: Partial<TaskDefinition> = {}): TaskDefinition {
  return {
    id: 1,
    component: 'c',
    action: 'run',
    actionParameters: { a: 1 },
    continueOnFailure: false,
    timeoutMinutes: null,
    active: true,
    phase: null,
    ...more,
  } as TaskDefinition;
}

describe('phases', () => {
  it('hold adjacent tasks of the same name; a task without a name stands alone', () => {
    const phases = groupPhases(['10', '10', null, null, 'test'].map((phase) => ({ phase })));
    assert.deepEqual(phases, [[0, 1], [2], [3], [4]]);
  });

  it('begin anew when a name comes again later', () => {
    assert.deepEqual(groupPhases([{ phase: 'a' }, { phase: null }, { phase: 'a' }, { phase: 'a' }]), [
      [0],
      [1],
      [2, 3],
    ]);
    assert.deepEqual(groupPhases([]), []);
  });
});

describe('a retry', () => {
  const select = (tasks: readonly TaskDefinition[], ends: readonly OldEnd[]) => selectForRetry(tasks, ends);

  it('takes everything that was active when all went well or nothing began', () => {
    const tasks = [task(), task({ active: false }), task()];
    assert.deepEqual(select(tasks, ['succeeded', 'not reached', 'succeeded']), [true, false, true]);
    assert.deepEqual(select(tasks, ['not reached', 'not reached', 'not reached']), [true, false, true]);
  });

  it('takes what failed, what was not reached, and all that was active behind the first phase with a failure', () => {
    const tasks = [
      task(),
      task({ phase: 'p' }),
      task({ phase: 'p', continueOnFailure: true }),
      task(),
      task({ active: false }),
    ];
    assert.deepEqual(select(tasks, ['succeeded', 'succeeded', 'failed', 'succeeded', 'not reached']), [
      false,
      false,
      true,
      true,
      false,
    ]);
    assert.deepEqual(select(tasks, ['succeeded', 'failed', 'succeeded', 'not reached', 'not reached']), [
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  it('takes what was not reached when the job was ended between two tasks', () => {
    assert.deepEqual(select([task(), task()], ['succeeded', 'not reached']), [false, true]);
  });
});

describe('an override', () => {
  const same = (one: TaskDefinition, sent: unknown) => JSON.stringify(one.actionParameters) === JSON.stringify(sent);
  const tasks = [task(), task({ timeoutMinutes: 5, continueOnFailure: true })];
  const sentOf = (more: object = {}) => [
    { component: 'c', actionParameters: { a: 1 } },
    { component: 'c', action: 'run', actionParameters: { a: 1 }, ...more },
  ];
  const apply = (more: object = {}) => applyOverride(tasks, sentOf(more), same);

  it('changes `active`, and nothing that is not sent', () => {
    assert.deepEqual(apply({ active: false }), [tasks[0], { ...tasks[1], active: false }]);
    assert.deepEqual(apply({ active: 1 }), tasks);
  });

  it('does not look at id, phase and unknown fields', () => {
    assert.deepEqual(apply({ id: 99, phase: 'other', title: 'x' }), tasks);
  });

  it('is refused with the number of the task and the field that differs', () => {
    const refused = (more: object, field: string) =>
      assert.throws(() => apply(more), {
        kind: 'unprocessable',
        message: `Task 2 is different from orchestration task (${field})`,
      });
    refused({ component: 'd' }, 'component');
    refused({ componentUrl: 'https://a.example/' }, 'componentUrl');
    refused({ action: 'discover' }, 'action');
    refused({ actionParameters: { a: 2 } }, 'actionParameters');
    refused({ continueOnFailure: false }, 'continueOnFailure');
    refused({ timeoutMinutes: null }, 'timeoutMinutes');
  });

  it('is refused when it has more or fewer tasks', () => {
    assert.throws(() => applyOverride(tasks, sentOf().slice(1), same), /different from orchestration task/);
  });
});
