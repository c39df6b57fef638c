import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

test(
  'the README’s first command replicates real data, reads it back, and ends 0 with --exit',
  { timeout: 600_000 },
  async () => {
    const child = spawn(process.execPath, [join(root, 'examples/demo/main.ts'), '--exit'], { cwd: root });
    let told = '';
    child.stdout.on('data', (data) => (told += data));
    child.stderr.on('data', (data) => (told += data));
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, told);
    assert.match(told, /public\.flights: source 3,000,000, table 3,000,000, \d+ rows compared by hash: equal/);
    assert.match(told, /nothing changed: 0 rows moved/);
    assert.match(told, /delayed by an hour: 1 row moved/);
    assert.match(told, /LAS/, 'the first rows as an independent reader sees them');
    assert.match(told, /John F Kennedy Intl/, 'SQL over the tables of the lake');
    assert.match(told, /delivered "table delays is ready"/, 'a component elsewhere');
  },
);
