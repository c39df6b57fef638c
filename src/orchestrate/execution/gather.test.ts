import assert from 'node:assert/strict';
import { it } from 'node:test';
import { gather } from './gather.ts';

it('reads once what is asked for in one turn, each key once, and again what is asked for later', async () => {
  const reads: (readonly string[])[] = [];
  const lengthOf = gather(async (keys: readonly string[]) => {
    reads.push(keys);
    return new Map(keys.filter((key) => key !== '').map((key) => [key, key.length]));
  });
  assert.deepEqual(await Promise.all(['a', 'bb', 'a', ''].map(lengthOf)), [1, 2, 1, undefined]);
  assert.equal(await lengthOf('a'), 1);
  assert.deepEqual(reads, [['a', 'bb', ''], ['a']]);
});

it('fails all who asked together, and nobody after them', async () => {
  let isBroken = true;
  const read = gather(async (keys: readonly number[]) => {
    if (isBroken) throw new Error('broken');
    return new Map(keys.map((key) => [key, key]));
  });
  const both = await Promise.allSettled([read(1), read(2)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  isBroken = false;
  assert.equal(await read(1), 1);
});
