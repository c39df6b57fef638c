import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColumnBuilder } from '../../../columns/index.ts';
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

test('rows that are too long to be held several times are not sampled, the others are', () => {
  const texts = ['short', 'x'.repeat(3_000_000), null, 'y'.repeat(3_000_000), 'z'.repeat(5_000_000)];
  const column = createColumnBuilder({ name: 't', type: { kind: 'string' }, nullable: true }, texts.length);
  for (const text of texts) column.append(text);
  const batch = { rows: texts.length, columns: [column.finish()] };
  const sampler = createSampler(selection, { size: 256, world: createWorld() });
  sampler.keep(sampler.take(batch, batch), { file: 'f', firstRow: 0 });
  const rows = sampler.samples.map(({ place }) => place.row);
  assert.equal(rows.length, 3, 'the short ones, and one of three million characters');
  assert.ok(rows.includes(0) && rows.includes(2) && !rows.includes(4), String(rows));
});
