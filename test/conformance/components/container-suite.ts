import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, describe, it } from 'node:test';
import { Failure } from '../../../src/errors.ts';
import { startTestRuntime, type RuntimeKind } from '../../support/container-runtime.ts';
import { createContainerRig, until, type ContainerRig } from './container-rig.ts';
import { startImageRegistry } from './image-registry.ts';

/** Ends by SIGTERM within a tenth of a second. */
const LISTENS = 'trap "exit 3" TERM; echo begun; while :; do sleep 0.1; done';

/**
 * Lets `container.run` meet a real runtime: what it promises is what a container sees. Where this machine can run none, the
 * suite is skipped and says why.
 */
export async function proveContainers(kind: RuntimeKind): Promise<void> {
  const registry = await startImageRegistry();
  const runtime = await startTestRuntime(kind, registry.address);
  if ('missing' in runtime) {
    registry.close();
    it(`container.run meets ${kind}`, { skip: runtime.missing });
    return;
  }
  const rig = createContainerRig(runtime, registry);
  describe(`container.run with ${runtime.version}`, () => {
    after(() => rig.close());
    describe('that works', () => {
      afterEach(async () => {
        assert.deepEqual(await runtime.containers(), [], 'no container stays');
        assert.deepEqual(readdirSync(join(rig.dataDir, 'work')), [], 'no file stays');
      });
      proveRuns(rig);
      proveWalls(rig);
      proveLimits(rig);
      proveEnds(rig);
      proveImages(rig);
    });
    proveAbsence(rig, kind);
  });
}

function proveRuns({ begin, run, sh }: ContainerRig): void {
  it('brings output and exit code back', async () => {
    const asked = { command: 'sh', args: ['-c', 'echo out; echo err >&2; echo "$1"', 'x', '$(id)'] };
    const { lines, ending } = begin(asked);
    const { output, exitCode } = await ending;
    assert.equal(exitCode, 0);
    assert.deepEqual(output.trim().split('\n').toSorted(), ['$(id)', 'err', 'out']);
    assert.deepEqual(lines.toSorted(), ['$(id)', 'err', 'out']);
    await assert.rejects(sh('echo why; exit 1'), failsWith('unprocessable', /code 1: why/, /output/));
    const own = failsWith('component_failed', /code 125; its output/, /events/);
    await assert.rejects(sh('echo what it says itself; exit 125'), own);
  });

  it('hands over variables as they are', async () => {
    const env = { A: ' x  y ', B: '"q" #z', C: 'a=b', D: '', E: "$HOME `id` 'é'", '#F': '#secret' };
    // Podman would hand on the proxies that it sees.
    process.env['https_proxy'] = 'http://proxy.example:3128';
    const { output } = await run({ command: 'env', env }).finally(() => delete process.env['https_proxy']);
    const seen = output.split('\n');
    for (const [name, value] of Object.entries(env)) {
      assert.ok(seen.includes(`${name.replace('#', '')}=${value}`), name);
    }
    assert.doesNotMatch(output, /DOCKER_|CONTAINERS_|PENSTOCK_|proxy/i);
  });

  it('shows secrets on no command line', async () => {
    const asked = { command: 'sh', args: ['-c', LISTENS], env: { '#TOKEN': 'hunter2-of-the-container' } };
    const { lines, controller, ending } = begin(asked, { task: 't_Secret' });
    await until(() => lines.includes('begun'));
    const seen = commandLines();
    assert.match(seen, /--name=penstock-t_secret/);
    assert.doesNotMatch(seen, /hunter2-of-the-container/);
    controller.abort(new Error('seen'));
    await assert.rejects(ending, /seen/);
  });
}

function proveWalls({ sh }: ContainerRig): void {
  it('gives no network', async () => {
    const server = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
    await once(server, 'listening');
    try {
      const { port } = server.address() as { port: number };
      const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
      const outside = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
      const tries = ['127.0.0.1', ...(outside === undefined ? [] : [outside])].map(
        (address) => `nc -w 2 ${address} ${port} </dev/null && echo reached ${address}`,
      );
      const { output } = await sh(`exec 2>&1; ls /sys/class/net; ${tries.join('; ')}; echo end`);
      const words = output.trim().split('\n');
      assert.equal(words[0], 'lo');
      assert.equal(words.at(-1), 'end');
      assert.doesNotMatch(output, /reached/);
    } finally {
      server.close();
    }
  });

  it('lets it write to /work and /tmp only, and starts what it has put there', async () => {
    const { output } = await sh(
      'pwd; ls -A; for d in / /etc /bin; do touch $d/x 2>/dev/null && echo "wrote to $d"; done; ' +
        'for d in /work /tmp; do printf "#!/bin/sh\\necho $d" > $d/script && chmod +x $d/script && $d/script; done',
    );
    assert.equal(output, '/work\n/work\n/tmp\n');
  });

  it('takes all rights away', async () => {
    const { output } = await sh('grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status');
    const none = '0000000000000000';
    const seen = output.trim().split('\n');
    assert.deepEqual(
      seen.map((line) => line.replaceAll(/\s+/g, ' ')),
      [`CapEff: ${none}`, `CapBnd: ${none}`, 'NoNewPrivs: 1', 'Seccomp: 2'],
    );
  });
}

function proveLimits({ begin, run }: ContainerRig): void {
  it('ends a container that needs more than its memory, and says so', async () => {
    const asked = { command: 'dd', args: ['if=/dev/zero', 'of=/work/x', 'bs=60M', 'count=1'], memory: '20m' };
    await assert.rejects(run(asked), failsWith('component_failed', /killed.*20m of memory/, /Raise memory/));
    assert.equal((await run({ ...asked, memory: '200m' })).exitCode, 0);
  });

  it('lets it start no more than 512 processes', async () => {
    const many = 'i=0; while [ $i -lt 600 ]; do sleep 60 & i=$((i+1)); done; echo started';
    const { lines, ending } = begin({ command: 'sh', args: ['-c', many], memory: '1g' });
    await assert.rejects(ending, Failure);
    assert.match(lines.join('\n'), /can't fork/);
  });

  it('says what a runtime refuses', async () => {
    await assert.rejects(
      run({ command: 'true', memory: '1m' }),
      failsWith('component_failed', /^The container ended with code 12\d: .*memory/, /Ask for less/),
    );
  });
}

function proveEnds({ begin, run, sh, runtime, settings }: ContainerRig): void {
  it('ends and removes it when its time is over', async () => {
    const asked = sh(LISTENS, { timeoutSeconds: 2 });
    await assert.rejects(asked, failsWith('timed_out', /longer than 2 s/, /timeoutSeconds/));
  });

  it('ends and removes it when it is cancelled', async () => {
    const { lines, controller, ending } = begin({ command: 'sh', args: ['-c', LISTENS] });
    await until(() => lines.includes('begun'));
    controller.abort(new Error('cancelled by the test'));
    await assert.rejects(ending, /cancelled by the test/);
  });

  it('removes the container that a killed server has left behind, also one that does not listen', async () => {
    const parameters = { image: runtime.image, command: 'sleep', args: ['600'] };
    const asked = JSON.stringify({ settings, parameters, task: 't_Lost' });
    const script = join(import.meta.dirname, 'container-attempt.ts');
    const server = spawn(process.execPath, [script, asked], { stdio: ['ignore', 'pipe', 'inherit'] });
    let memo: { readonly group?: unknown } | null = null;
    createInterface(server.stdout).on('line', (line) => (memo = JSON.parse(line) as { group?: unknown }));
    await until(() => memo?.group !== undefined);
    await until(async () => (await runtime.containers('running')).includes('penstock-t_lost'));
    server.kill('SIGKILL');
    await once(server, 'exit');
    assert.deepEqual(await runtime.containers('running'), ['penstock-t_lost']);
    const again = run({ command: 'echo', args: ['again'] }, { task: 't_Lost', number: 2, memo });
    await assert.rejects(again, failsWith('worker_lost', /Interrupted by a server restart/, /start it again/));
  });
}

function proveImages({ begin, run, runtime, registry, images }: ContainerRig): void {
  it('pulls an image that is not there yet', async () => {
    await registry.offer(runtime.layer);
    const first = begin({ image: images.offered, command: 'echo', args: ['pulled'] });
    assert.equal((await first.ending).output, 'pulled\n', 'the output is that of the container alone');
    assert.match(first.lines.join('\n'), /is not on this server yet: it is pulled/);
    const second = begin({ image: images.offered, command: 'echo', args: ['there'] });
    await second.ending;
    assert.deepEqual(second.lines, ['there']);
  });

  it('tells which image cannot be pulled, and who can help', async () => {
    const message = /^Image 127.0.0.1:9\/nobody\/listens:1 is not on this server and cannot be pulled: .*refused/;
    await assert.rejects(run({ image: images.nowhere }), failsWith('unreachable', message, /administrator/));
  });

  it('tells a program that the image does not have', async () => {
    const message = /code 127: .*no-such-program.*not found/;
    await assert.rejects(
      run({ command: 'no-such-program' }),
      failsWith('unprocessable', message, /command that the image has/),
    );
  });
}

function proveAbsence({ build, run, call, runtime }: ContainerRig, kind: RuntimeKind): void {
  const advice = /administrator.*PENSTOCK_CONTAINER_PROGRAM/;

  it('tells that the runtime is not installed', async () => {
    const message = /\(\/usr\/bin\/no-such-runtime\) does not work: it cannot be started \(ENOENT\)/;
    const ending = build('/usr/bin/no-such-runtime').execute(call({}).call);
    await assert.rejects(ending, failsWith('unreachable', message, advice));
  });

  if (kind === 'docker') {
    it('tells that the daemon does not run', async () => {
      await runtime.endDaemon();
      const message = /does not work: Cannot connect to the Docker daemon/;
      await assert.rejects(run({ command: 'true' }), failsWith('unreachable', message, advice));
    });
  }
}

function failsWith(kind: string, message: RegExp, advice: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof Failure, String(error));
    assert.match(error.message, message);
    assert.equal(error.kind, kind);
    assert.match(error.advice, advice);
    return true;
  };
}

/** What the machine shows everybody of all running programs. */
function commandLines(): string {
  const read = (id: string): string => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      // It has ended meanwhile.
      return '';
    }
  };
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.map(read).join('\n');
}
