import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamSelection } from '../../../connectors/kit/index.ts';
import { createWorld } from '../../../world.ts';
import { createSampler } from './sampling.ts';
import type { Sample } from './sampling.ts';

const selection = { columns: [], primaryKey: [] } as unknown as StreamSelection;

const sample = (file: string): Sample => ({ place: { file, row: 0 }, key: [], written: [] });

test('chunks of other processes are sampled as often as their batches say', () => {
  let fromLarge = 0;
  for (let round = 0; round < 400; round++) {
    const sampler = createSampler(selection, { size: 8, world: createWorld() });
    sampler.absorb([sample('small')], 2);
    sampler.absorb([sample('large')], 30);
    assert.equal(sampler.batches, 32);
    if (sampler.samples.some(({ place }) => place.file === 'large')) fromLarge++;
  }
  assert.ok(fromLarge > 300, `the larger chunk was sampled in ${fromLarge} of 400 loads`);
});

test('a chunk without samples counts, and takes no place', () => {
  const sampler = createSampler(selection, { size: 8, world: createWorld() });
  sampler.absorb([sample('a')], 1);
  for (let chunk = 0; chunk < 20; chunk++) sampler.absorb([], 5);
  assert.deepEqual(
    sampler.samples.map(({ place }) => place.file),
    ['a'],
  );
  assert.equal(sampler.batches, 101);
});
