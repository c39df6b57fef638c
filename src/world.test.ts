import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWorld, newId } from './world.ts';

describe('the random source', () => {
  it('gives as many bytes as asked for, and none twice', () => {
    const world = createWorld();
    const sizes = [0, 1, 16, 4095, 16, 5000, 32, 4096, 16];
    const drawn = sizes.map((size) => world.random(size));
    assert.deepEqual(
      drawn.map((bytes) => bytes.length),
      sizes,
    );
    const before = drawn.map((bytes) => bytes.toString('hex'));
    for (const bytes of drawn.filter((_, place) => place % 2 === 0)) bytes.fill(0);
    const odd = (_: unknown, place: number): boolean => place % 2 === 1;
    assert.deepEqual(drawn.map((bytes) => bytes.toString('hex')).filter(odd), before.filter(odd));
    const ids = Array.from({ length: 10_000 }, () => newId(world, 'x'));
    assert.equal(new Set(ids).size, ids.length);
  });
});
