import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { snappyUncompress } from 'hyparquet';
import { compressSnappy } from './snappy.ts';

function roundTrip(input: Uint8Array): number {
  const compressed = compressSnappy(input);
  const output = new Uint8Array(input.length);
  if (input.length > 0) snappyUncompress(new Uint8Array(compressed), output);
  assert.ok(Buffer.from(output).equals(input));
  return compressed.length;
}

describe('snappy', () => {
  it('gives back what went in, at every small length', () => {
    for (let length = 0; length < 300; length++) {
      roundTrip(Buffer.alloc(length, 'abc'));
      roundTrip(randomBytes(length));
    }
  });

  it('gives back pages beyond one block, whatever is in them', () => {
    for (const length of [65_535, 65_536, 65_537, 200_003]) {
      roundTrip(randomBytes(length));
      roundTrip(Buffer.alloc(length));
      roundTrip(Buffer.from('some words that repeat '.repeat(length / 23)));
      roundTrip(Buffer.from(Array.from({ length }, (_, at) => (at * at) % 7)));
    }
  });

  it('makes repeated data small and random data hardly larger', () => {
    assert.ok(roundTrip(Buffer.from('penstock '.repeat(10_000))) < 6000);
    assert.ok(roundTrip(randomBytes(100_000)) < 100_100);
  });
});
