import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { readConfig } from '../../config.ts';
import { createTestCall, execute, type TestCallOptions } from '../kit/attempt.test-support.ts';
import type { ComponentPorts, ComponentSpec, Parameters, ProcessEnd } from '../kit/index.ts';
import { component } from './component.ts';
import { until } from '../../../test/support/waiting.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-container-'));
const dataDir = join(folder, 'data');
const calls = join(folder, 'calls');
const alive = join(folder, 'alive');
const runtime = join(folder, 'runtime');
mkdirSync(dataDir);
// No container runs here: this program only notes what it was called with. What runtimes make of it is proved by
// test/conformance/components/container.test.ts.
writeFileSync(
  runtime,
  `#!/bin/sh
case $1 in image) exit 0;; container) [ -e ${alive} ] && echo true; exit;; esac
echo "call" >> ${calls}
for word in "$@"; do
  printf '%s\\n' "$word" >> ${calls}
  case $word in --env-file=*) sed 's/^/variable /' "\${word#--env-file=}" >> ${calls};; esac
done
env | sed 's/^/sees /' >> ${calls}
[ "$1" = kill ] && rm -f ${alive}
[ "$1" = run ] || exit 0
touch ${alive}
case "$*" in *wait-for-ever*) echo begun; sleep 600;; *fail-137*) exit 137;; *fail-1*) echo no; exit 1;; esac
echo "hello"
rm ${alive}
`,
);
chmodSync(runtime, 0o755);

function build(images: string): ComponentSpec {
  const settings = { PENSTOCK_CONTAINER_IMAGES: images, PENSTOCK_CONTAINER_PROGRAM: runtime };
  return component({ config: readConfig({ PENSTOCK_DATA_DIR: dataDir, ...settings }) } as ComponentPorts);
}

const spec = build('alpine:3,--privileged,registry.example/tool@sha256:abc');
const run = (parameters: Parameters, options?: TestCallOptions) =>
  execute(spec, parameters, options) as Promise<ProcessEnd>;
/** Words of each call of the runtime. */
const callsMade = (): string[][] =>
  readFileSync(calls, 'utf8')
    .split('call\n')
    .slice(1)
    .map((text) => text.trimEnd().split('\n'));

beforeEach(() => rmSync(calls, { force: true }));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('container.run', () => {
  it('is off while no image is allowed', () => {
    assert.match(build('').isOffBecause!, /PENSTOCK_CONTAINER_IMAGES/);
  });

  it('asks for a container without network, rights, files and unlimited resources, named after the task', async () => {
    const asked = { image: 'alpine:3', command: 'echo', args: ['-n', '--privileged'], cpu: 0.5, memory: '64m' };
    const { output } = await run(asked, { task: 't_ABC123' });
    assert.equal(output, 'hello\n');
    const [words] = callsMade();
    const options = words!.slice(0, words!.indexOf('--'));
    for (const option of [
      'run',
      '--rm',
      '--pull=never',
      '--log-driver=none',
      '--name=penstock-t_abc123',
      '--network=none',
      '--cap-drop=ALL',
      '--security-opt=no-new-privileges',
      '--read-only',
      '--pids-limit=512',
      '--memory=64m',
      '--memory-swap=64m',
      '--cpus=0.5',
      '--entrypoint=echo',
    ]) {
      assert.ok(options.includes(option), option);
    }
    assert.ok(!options.some((option) => /^(-v|--volume|--mount|--privileged|--device)/.test(option)));
    const behind = words!.slice(words!.indexOf('--') + 1).filter((word) => !word.startsWith('sees '));
    assert.deepEqual(behind, ['alpine:3', '-n', '--privileged'], 'what people give is no option');
  });

  it('hands variables over in a file, neither on the command line nor to the program that runs containers', async () => {
    await run({ image: 'alpine:3', env: { ONE: '1', '#TOKEN': 'hunter2', DOCKER_HOST: 'tcp://evil' } });
    const [words] = callsMade();
    const variables = words!.filter((word) => word.startsWith('variable '));
    assert.deepEqual(variables, ['variable ONE=1', 'variable TOKEN=hunter2', 'variable DOCKER_HOST=tcp://evil']);
    const rest = words!.filter((word) => !word.startsWith('variable ')).join('\n');
    assert.doesNotMatch(rest, /hunter2|evil/);
    const file = words!.find((word) => word.startsWith('--env-file='))!.slice('--env-file='.length);
    assert.equal(existsSync(file), false, 'the file is removed');
  });

  it('takes nothing but images of the list, and no line breaks in variables', async () => {
    for (const image of [
      'alpine',
      'alpine:3 ',
      'docker.io/library/alpine:3',
      '--privileged',
      '-v/:/host',
      'alpine:3\0',
    ]) {
      assert.throws(() => spec.check!({ image }), /none of the allowed images|NUL/, image);
      await assert.rejects(run({ image }), /none of the allowed images/, image);
    }
    assert.throws(() => spec.check!({ image: 'alpine:3', env: { A: 'x\nB=y' } }), /must be one line/);
    assert.equal(existsSync(calls), false, 'nothing was started');
  });

  it('tells exit codes, and removes the container of a program that went wrong', async () => {
    await assert.rejects(run({ image: 'alpine:3', args: ['fail-1'] }), { kind: 'unprocessable' });
    await assert.rejects(run({ image: 'alpine:3', args: ['fail-137'] }), { kind: 'component_failed' });
    assert.deepEqual(
      callsMade().map(([word]) => word),
      ['run', 'kill', 'run', 'kill'],
    );
  });

  it('ends and removes the container when it is cancelled', async () => {
    const { call, lines, controller } = createTestCall({ image: 'alpine:3', args: ['wait-for-ever'] }, { task: 't_1' });
    const ending = spec.execute(call);
    await until('the container says something', () => lines.length > 0);
    const reason = new Error('cancelled by the test');
    controller.abort(reason);
    await assert.rejects(ending, reason);
    assert.deepEqual(callsMade().at(-1)!.slice(0, 3), ['kill', '--', 'penstock-t_1']);
  });

  it('removes the container of a lost attempt, and starts no other', async () => {
    writeFileSync(alive, '');
    const lost = run({ image: 'alpine:3' }, { task: 't_2', number: 2, memo: { hasBegun: true, group: null } });
    await assert.rejects(lost, /Interrupted by a server restart/);
    assert.deepEqual(
      callsMade().map((words) => words.slice(0, 3)),
      [['kill', '--', 'penstock-t_2']],
    );
  });
});
