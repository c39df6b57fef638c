import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkCircles } from './circles.ts';
import { checkDoors } from './doors.ts';
import { checkImports } from './imports.ts';

const root = join(import.meta.dirname, '..', '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);

interface Finding {
  readonly name: string;
  readonly lines: readonly string[];
}

function command(name: string, file: string, args: readonly string[]): Promise<Finding> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('close', (code) => resolve({ name, lines: code === 0 ? [] : output.trim().split('\n') }));
  });
}

const folders = ['src', 'test', 'tools', 'bench', 'examples'].filter((folder) => existsSync(join(root, folder)));
const findings = await Promise.all([
  command('types', bin('tsc'), ['-p', root]),
  command('lint', bin('oxlint'), folders),
  command('format', bin('oxfmt'), ['--check', ...folders]),
  command('generated files', process.execPath, [join(root, 'tools/generate/main.ts'), '--check']),
  { name: 'import rules', lines: checkImports(root) },
  { name: 'circles', lines: checkCircles(root) },
  { name: 'doors and names', lines: checkDoors(root) },
]);
for (const { name, lines } of findings) {
  console.log(`${lines.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  for (const line of lines) console.log(`     ${line}`);
}
process.exit(findings.some(({ lines }) => lines.length > 0) ? 1 : 0);
