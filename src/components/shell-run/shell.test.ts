import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readConfig } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { createTestCall, execute, type TestCallOptions } from '../kit/attempt.test-support.ts';
import { describeGroup } from '../kit/leftover.ts';
import type { ComponentPorts, ComponentSpec, Parameters, ProcessEnd } from '../kit/index.ts';
import { component } from './component.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-shell-'));
const dataDir = join(folder, 'data');
mkdirSync(dataDir);
symlinkSync('/bin/sh', join(folder, 'link'));

function build(...programs: string[]): ComponentSpec {
  const config = readConfig({ PENSTOCK_DATA_DIR: dataDir, PENSTOCK_SHELL_PROGRAMS: programs.join(',') });
  return component({ config } as ComponentPorts);
}

/** A program of the administrator: a script with its own first line. */
function script(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const spec = build('/bin/sh', '/usr/bin/env', '/bin/cat', '/bin/true', script('twin', 'sleep 600 & sleep 600'));
const run = (parameters: Parameters, options?: TestCallOptions) =>
  execute(spec, parameters, options) as Promise<ProcessEnd>;
const sh = (text: string, more: Parameters = {}) => run({ command: '/bin/sh', args: ['-c', text], ...more });
const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/ Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the condition was not met in time');
    await delay(20);
  }
}

after(() => rmSync(folder, { recursive: true, force: true }));

describe('shell.run', () => {
  it('is off while no program is allowed', () => {
    assert.match(build().isOffBecause!, /PENSTOCK_SHELL_PROGRAMS/);
    assert.equal(spec.isOffBecause, null);
  });

  it('runs nothing but the programs of the list, spelled as there', async () => {
    for (const command of [
      '/bin/ls',
      'sh',
      '/bin/../bin/sh',
      '/bin//sh',
      '/bin/sh ',
      '/bin/sh -c id',
      join(folder, 'link'),
      '/bin/sh\0x',
    ]) {
      assert.throws(() => spec.check!({ command }), /Parameter|NUL/, command);
      await assert.rejects(run({ command }), /none of the allowed programs/, command);
    }
    assert.throws(() => spec.check!({ command: '/bin/sh', args: ['a\0b'] }), /NUL/);
    assert.throws(() => spec.check!({ command: '/bin/sh', env: { 'A=B': 'x' } }), /is no name/);
  });

  it('takes no variables by which shells and interpreters run code of the caller', async () => {
    for (const name of ['BASH_ENV', '#BASH_ENV', 'LD_PRELOAD', 'NODE_OPTIONS', 'PERL5OPT', 'SHELLOPTS', 'PYTHONPATH']) {
      const env = { [name]: '$(id)' };
      assert.throws(() => spec.check!({ command: '/bin/cat', env }), /BASH|LD|NODE|PERL|SHELL|PYTHON.* is not allowed/);
    }
    spec.check!({ command: '/bin/cat', env: { PATH: '/bin', ENVIRONMENT: 'x', '#TOKEN': 'y' } });
  });

  it('gives arguments as they are: no shell reads them', async () => {
    const { output, exitCode } = await run({
      command: '/bin/sh',
      args: ['-c', 'printf "%s\\n" "$@"', 'x', '$(id)', '; id', '*', '-rf', '"'],
    });
    assert.equal(output, '$(id)\n; id\n*\n-rf\n"\n');
    assert.equal(exitCode, 0);
  });

  it('shows the program no variables but those given, with secrets under their names', async () => {
    const { output } = await run({ command: '/usr/bin/env', env: { ONE: '1', '#TOKEN': 'hunter2' } });
    assert.deepEqual(output.trim().split('\n').toSorted(), ['ONE=1', 'TOKEN=hunter2']);
  });

  it('starts it in a fresh empty folder of its own, with its input closed, and removes the folder', async () => {
    const { output } = await sh('pwd; ls -A | wc -l; stat -c %a .; cat; touch left; mkdir deep; echo x > deep/file', {
      env: { PATH: '/usr/bin:/bin' },
    });
    const [cwd, files, mode, ...rest] = output.trim().split('\n');
    assert.ok(cwd!.startsWith(join(dataDir, 'work')));
    assert.deepEqual([files, mode, rest], ['0', '700', []]);
    assert.equal(existsSync(cwd!), false);
    assert.deepEqual(readdirSync(join(dataDir, 'work')), []);
  });

  it('writes each line of both outputs to the events, and keeps 1 MiB', async () => {
    const { call, lines } = createTestCall({
      command: '/bin/sh',
      args: ['-c', 'echo out; echo err >&2; printf "\\033[31mred"'],
    });
    await spec.execute(call);
    assert.deepEqual(lines.toSorted(), ['err', 'out', '\ufffd[31mred'].toSorted());
    const { output } = await sh('head -c 5000000 /dev/zero | tr "\\0" a; echo; echo last', {
      env: { PATH: '/usr/bin:/bin' },
    });
    assert.ok(output.length <= 1024 * 1024 + 100, String(output.length));
    assert.match(output, /the rest is left out\.\n$/);
  });

  for (const [end, kind, sentence] of [
    ['echo why >&2; exit 1', 'unprocessable', /code 1: why/],
    ['exit 2', 'component_failed', /^The program ended with code 2; its output is in the events\.$/],
    ['exit 127', 'component_failed', /code 127/],
    ['kill -SEGV $$', 'component_failed', /SIGSEGV/],
    ['kill -KILL $$', 'component_failed', /was killed/],
  ] as const) {
    it(`tells "${end}" as ${kind}`, async () => {
      await assert.rejects(sh(end), (error) => {
        assert.ok(error instanceof Failure);
        assert.equal(error.kind, kind);
        assert.match(error.message, sentence);
        return true;
      });
    });
  }

  it('ends the program and all that it has started when its time is over', async () => {
    const { call, lines } = createTestCall({
      command: '/bin/sh',
      args: ['-c', 'sleep 600 & echo $!; wait'],
      timeoutSeconds: 1,
      env: { PATH: '/bin' },
    });
    await assert.rejects(spec.execute(call), (error: Failure) => error.kind === 'timed_out');
    await until(() => !isAlive(Number(lines[0])));
  });

  it('ends those who do not listen to SIGTERM, within its grace', async () => {
    const { call, lines, controller } = createTestCall({
      command: '/bin/sh',
      args: ['-c', 'trap "" TERM; echo $$; while :; do :; done'],
    });
    const ending = spec.execute(call);
    await until(() => lines.length > 0);
    const reason = new Error('cancelled by the test');
    controller.abort(reason);
    await assert.rejects(ending, reason);
    assert.equal(isAlive(Number(lines[0])), false);
  });

  it('leaves nobody behind who was started in the background', async () => {
    const { output } = await sh('sleep 600 & echo $!', { env: { PATH: '/bin' } });
    await until(() => !isAlive(Number(output)));
  });

  it('holds the program to limits of the system', { skip: !existsSync('/usr/bin/prlimit') }, async () => {
    const { output } = await sh('ulimit -t; ulimit -c; ulimit -n; ulimit -v', { timeoutSeconds: 77 });
    assert.deepEqual(output.trim().split('\n'), ['77', '0', '1024', String(4 * 1024 ** 2)]);
  });

  it('ends what a lost attempt has left running, and does not run it again', async () => {
    const left = spawn(join(folder, 'twin'), [], { detached: true, stdio: 'ignore' });
    const group = await describeGroup(left.pid!);
    const marker = join(folder, 'ran-again');
    const memo = { hasBegun: true, group };
    await assert.rejects(
      run({ command: '/bin/sh', args: ['-c', `touch ${marker}`] }, { number: 2, memo }),
      /Interrupted by a server restart/,
    );
    await until(() => !isAlive(left.pid!));
    assert.equal(existsSync(marker), false);
  });

  it('spares a process that has got the number of an old one', async () => {
    const other = spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore' });
    try {
      const group = { ...(await describeGroup(other.pid!))!, ticks: '1' };
      await assert.rejects(
        run({ command: '/bin/true' }, { number: 2, memo: { hasBegun: true, group } }),
        /Interrupted/,
      );
      assert.equal(isAlive(other.pid!), true);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('remembers the group of the program while it runs', async () => {
    // One that is there long enough to be looked at.
    const { call, memo } = createTestCall({ command: '/bin/sh', args: ['-c', 'sleep 0.5'] });
    await spec.execute(call);
    assert.equal(typeof (memo() as { group: { pid: number } }).group.pid, 'number');
  });
});
