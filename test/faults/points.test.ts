import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { OTHER_POINTS, POINTS } from './points.ts';

const root = join(import.meta.dirname, '../..');

/** What the code says in its calls of `world.reach`: all texts between the brackets. */
function pointsOfCode(): ReadonlySet<string> {
  const points = new Set<string>();
  for (const path of globSync('src/**/*.ts', { cwd: root })) {
    if (/\.test(-support)?\.ts$/.test(path)) continue;
    const code = readFileSync(join(root, path), 'utf8');
    for (const [call, given] of code.matchAll(/\bworld\.reach\(([^()]*)\)/g)) {
      const names = [...given!.matchAll(/'([a-z0-9]+\.[a-z0-9-]+)'/g)].map(([, name]) => name!);
      assert.ok(names.length > 0, `${path}: ${call} names no point`);
      for (const name of names) points.add(name);
    }
    assert.doesNotMatch(
      code,
      /\bworld\.reach\((?![^()]*\))/,
      `${path}: a call is written so that it cannot be read here`,
    );
  }
  return points;
}

it('every stopping point of the code is listed, and every listed one is in the code', () => {
  const listed = [...Object.values(POINTS).flat(), ...Object.keys(OTHER_POINTS)];
  assert.deepEqual([...new Set(listed)].toSorted(), [...pointsOfCode()].toSorted());
});

it('a point that a suite kills at needs no excuse', () => {
  const tried: readonly string[] = Object.values(POINTS).flat();
  assert.deepEqual(
    tried.filter((point) => point in OTHER_POINTS),
    [],
  );
});

it('every list belongs to a suite that compares itself with it', () => {
  for (const suite of Object.keys(POINTS)) {
    const code = readFileSync(join(import.meta.dirname, `${suite}.test.ts`), 'utf8');
    assert.ok(code.includes(`testKills('${suite}')`), suite);
  }
});
