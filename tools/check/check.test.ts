import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { checkCircles } from './circles.ts';
import { checkDoors } from './doors.ts';
import { checkImports } from './imports.ts';

describe('the check of the house', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'house-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(root, 'src', path)), { recursive: true });
    writeFileSync(join(root, 'src', path), text);
  }

  it('lets a room enter another through its index when the table allows it', () => {
    write('engine/start.ts', `import { x } from '../store/index.ts';\nimport { y } from './state.ts';`);
    assert.deepEqual(checkImports(root), []);
  });

  it('names an import that the table forbids', () => {
    write('lakehouse/iceberg/table.ts', `import type { Store } from '../../store/index.ts';`);
    assert.match(checkImports(root).join(), /lakehouse may not import store/);
  });

  it('names a room entered by another door than its index', () => {
    write('engine/start.ts', `import { x } from '../store/open.ts';`);
    assert.match(checkImports(root).join(), /enters store by store\/open.ts/);
  });

  it('names a connector that reaches into another connector', () => {
    write('connectors/postgres/load.ts', `const m = await import('../mysql/index.ts');`);
    assert.match(checkImports(root).join(), /connectors\/postgres may not import connectors\/mysql/);
  });

  it('names files that import each other, also by way of a third and for types alone', () => {
    write('engine/a.ts', `import { b } from './b.ts';`);
    write('engine/b.ts', `import type { C } from './c.ts';`);
    assert.deepEqual(checkCircles(root), []);
    write('engine/c.ts', `import type { A } from './a.ts';`);
    assert.match(checkCircles(root).join(), /engine\/a.ts → engine\/b.ts → engine\/c.ts → engine\/a.ts/);
  });

  it('names a room that the table does not know', () => {
    write('magic/spell.ts', `import { x } from '../store/index.ts';`);
    assert.match(checkImports(root).join(), /has no line/);
  });

  it('names an index with code in it, a name that says nothing, and a second reader of the environment', () => {
    write('engine/index.ts', `export * from './start.ts';\nexport const two = 2;`);
    write('engine/utils.ts', 'export const one = 1;');
    write('engine/start.ts', `export const home = process.env.HOME;`);
    const findings = checkDoors(root).join('\n');
    assert.match(findings, /engine\/index.ts: an index.ts holds exports only/);
    assert.match(findings, /"utils" says nothing/);
    assert.match(findings, /engine\/start.ts: reads the environment/);
  });
});
