import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countFromOne } from './wording.ts';

test('lines of the engine about tasks count from one, as people do; what components say stays', () => {
  assert.equal(
    countFromOne('worker lost; task 0 goes to another worker'),
    'worker lost; Task 1 goes to another worker',
  );
  assert.equal(countFromOne('the worker stops; task 9 moves to another'), 'the worker stops; Task 10 moves to another');
  assert.equal(countFromOne('cancelled: task 0'), 'cancelled: Task 1');
  assert.equal(countFromOne('cancelled: task begin'), 'cancelled: task begin');
  assert.equal(countFromOne('I began task 0'), 'I began task 0');
});
