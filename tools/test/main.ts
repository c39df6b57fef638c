/**
 * The README's second command: `npm test`. Checks the house, starts one real PostgreSQL that the suites share, runs all
 * suites, then the slow ones that want the machine for themselves. `npm test -- PATH…` runs only the named test files.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { startTestPostgres } from '../../test/support/postgres.ts';

const root = join(import.meta.dirname, '..', '..');

interface Stage {
  readonly name: string;
  readonly args: readonly string[];
}

/** Suites that kill processes, drive load or start whole products. They share nothing: two at once. */
const SLOW = ['test/faults/**/*.test.ts', 'test/journeys/**/*.test.ts'];
/** Of those, the ones that measure time, or do as much as they can within a time: one after the other. */
const ALONE = ['test/faults/{database-loss,fuzz-keboola,fuzz-olake}.test.ts', 'test/journeys/demo.test.ts'];
const QUICK = ['src/**/*.test.ts', 'tools/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/support/**/*.test.ts'];
/** More at once than cores: many of them wait for a server most of the time. */
const QUICK_AT_ONCE = availableParallelism() + 1;
/** What Node has compiled of the code, kept for all processes of all tests: each of thousands would compile it anew. */
const COMPILED = join(tmpdir(), `penstock-dev-compiled-${userInfo().uid}`);

function files(patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
}

function suite(name: string, paths: readonly string[], concurrency: number): Stage {
  return { name, args: ['--test', `--test-concurrency=${concurrency}`, '--test-timeout=900000', ...paths] };
}

function run(stage: Stage, environment: Record<string, string>): Promise<boolean> {
  console.log(`\n== ${stage.name}`);
  const started = performance.now();
  return new Promise((resolve) => {
    const args = ['--disable-warning=ExperimentalWarning', ...stage.args];
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    running = child;
    child.on('close', (code) => {
      running = undefined;
      console.log(
        `== ${stage.name}: ${code === 0 ? 'passed' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(0)} s`,
      );
      resolve(code === 0);
    });
  });
}

function plan(chosen: readonly string[]): Stage[] {
  if (chosen.length > 0) return [suite('chosen tests', chosen, 1)];
  const alone = new Set(files(ALONE));
  const paired = files(SLOW).filter((path) => !alone.has(path));
  return [
    { name: 'check', args: [join(root, 'tools/check/main.ts')] },
    suite('suites', files(QUICK), QUICK_AT_ONCE),
    suite('faults and journeys in pairs', paired, 2),
    suite('faults and journeys alone', [...alone], 1),
    ...(existsSync(join(root, 'bench/main.ts'))
      ? [{ name: 'bench smoke', args: [join(root, 'bench/main.ts'), '--smoke'] }]
      : []),
  ];
}

/** Ends the stage that runs, and begins no other: the server ends as after any run. */
function stop(): void {
  isStopped = true;
  running?.kill('SIGTERM');
}

let running: ChildProcess | undefined;
let isStopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);

const postgres = await startTestPostgres();
const environment = { TEST_POSTGRES_URL: postgres.url, NODE_COMPILE_CACHE: COMPILED };
let passed = true;
try {
  for (const stage of plan(process.argv.slice(2))) passed = !isStopped && (await run(stage, environment)) && passed;
} finally {
  await postgres.stop();
}
process.exit(passed ? 0 : 1);
