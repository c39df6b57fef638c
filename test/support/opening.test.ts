import assert from 'node:assert/strict';
import { it } from 'node:test';
import { opening } from './opening.ts';

it('what was opened is closed newest first, once', async () => {
  const closed: string[] = [];
  const opened = await opening(async (closing) => {
    closing(() => closed.push('database'));
    closing(async () => void closed.push('server'));
    return { url: 'x' };
  });
  assert.equal(opened.url, 'x');
  assert.deepEqual(closed, []);
  await opened.close();
  await opened.close();
  assert.deepEqual(closed, ['server', 'database']);
});

it('a part that cannot be opened closes those before it, and its reason is told', async () => {
  const closed: string[] = [];
  const failing = opening(async (closing) => {
    closing(() => closed.push('database'));
    closing(() => closed.push('engine'));
    await Promise.reject(new Error('the port is taken'));
    return {};
  });
  await assert.rejects(failing, /the port is taken/);
  assert.deepEqual(closed, ['engine', 'database']);
});

it('what cannot be closed keeps nothing else open, and its reason is told', async () => {
  const closed: string[] = [];
  const opened = await opening(async (closing) => {
    closing(() => closed.push('database'));
    closing(() => Promise.reject(new Error('the worker hangs')));
    return {};
  });
  await assert.rejects(opened.close(), /the worker hangs/);
  assert.deepEqual(closed, ['database']);
});
