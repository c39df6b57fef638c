import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'penstock.cjs');
let folder: string;
const running: Running[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-commands-'));
});
after(async () => {
  for (const { process: child } of running) child.kill('SIGTERM');
  await Promise.all(running.map(({ ended }) => ended));
  await rm(folder, { recursive: true, force: true });
});

interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
  /** The first line on standard output that matches; fails when the command ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
}

function penstock(args: readonly string[], settings: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [launcher, ...args], {
    env: { PATH: process.env['PATH'], PENSTOCK_DATA_DIR: join(folder, 'data'), PENSTOCK_PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, out, err }));
  });
  const command: Running = {
    process: child,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(out);
          if (found) resolve(found);
        };
        child.stdout.on('data', look);
        look();
        void ended.then(() => reject(new Error(`ended without ${pattern}: ${out}${err}`)));
      }),
  };
  running.push(command);
  return command;
}

describe('the command line', () => {
  it('shows what it can do', async () => {
    for (const word of ['help', '--help', '-h']) {
      const { code, out } = await penstock([word]).ended;
      assert.equal(code, 0);
      for (const command of ['serve', 'api', 'worker', 'migrate', 'backup FILE', 'restore FILE', 'connector'])
        assert.ok(out.includes(`  ${command}`), command);
    }
  });

  it('answers wrong usage with the help and exit code 2', async () => {
    for (const args of [[], ['dance'], ['serve', 'now'], ['backup'], ['restore', 'a', 'b']]) {
      const { code, err } = await penstock(args).ended;
      assert.equal(code, 2, args.join(' '));
      assert.match(err, /Usage: penstock COMMAND/);
    }
  });

  it('tells its version and its settings', async () => {
    assert.match((await penstock(['version']).ended).out, /^penstock \d+\.\d+\.\d+/);
    assert.match((await penstock(['settings']).ended).out, /PENSTOCK_PORT +Port to listen on.*\[8080\]/);
  });

  it('refuses an unknown or invalid setting in one line that names it, without a stack and without a secret', async () => {
    const wrong: [Record<string, string>, RegExp][] = [
      [{ PENSTOCK_PROT: '1' }, /^penstock: unknown setting PENSTOCK_PROT: .*penstock settings.*\n$/],
      [{ PENSTOCK_PORT: 'http' }, /^penstock: PENSTOCK_PORT is "http": give a whole number .*\n$/],
      [{ PENSTOCK_SECRET_KEY: 'hush' }, /^penstock: PENSTOCK_SECRET_KEY: give 32 bytes .*\n$/],
    ];
    for (const [settings, line] of wrong) {
      const { code, err } = await penstock(['serve'], settings).ended;
      assert.equal(code, 1);
      assert.match(err, line);
      assert.ok(!err.includes('hush'));
    }
  });
});

describe('penstock serve', () => {
  it('prints the way in once, lets a guest work beside it, and stops when asked', async () => {
    const first = penstock(['serve']);
    const [, url] = await first.line(/ready at (http:\/\/127\.0\.0\.1:\d+)/);
    const [, password] = await first.line(/admin \/ (\S+)/);
    await first.line(/data +(.+)/);
    const signIn = await fetch(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password }),
    });
    assert.equal(signIn.status, 200);
    const file = join(folder, 'backup');
    await mkdir(join(folder, 'data/sql'));
    const saved = await penstock(['backup', file]).ended;
    assert.deepEqual([saved.code, /\d+ rows written/.test(saved.out)], [0, true], saved.err);
    assert.match(saved.out, /Not in it: the tables of sql\.transformation\. Copy \S+data\/sql as well/);
    const worker = penstock(['worker']);
    await worker.line(/worker is at work/);
    worker.process.kill('SIGTERM');
    assert.equal((await worker.ended).code, 0);
    first.process.kill('SIGTERM');
    const { code, err } = await first.ended;
    assert.equal(code, 0);
    assert.ok(!err.includes(password!), 'the password is in the log');
    await signInAgain(password!, file);
  });

  async function signInAgain(password: string, file: string): Promise<void> {
    const second = penstock(['serve'], { PENSTOCK_ADMIN_PASSWORD: 'has no effect any more' });
    const [, url] = await second.line(/ready at (\S+)/);
    const answer = await fetch(`${url}/login`, {
      method: 'POST',
      body: JSON.stringify({ username: 'admin', password }),
    });
    assert.equal(answer.status, 200);
    second.process.kill('SIGINT');
    const { code, out } = await second.ended;
    assert.deepEqual([code, out.includes('/ ')], [0, false], out);
    const refused = await penstock(['restore', file]).ended;
    assert.equal(refused.code, 1);
    const elsewhere = { PENSTOCK_DATA_DIR: join(folder, 'restored') };
    const restored = await penstock(['restore', file], elsewhere).ended;
    assert.deepEqual([restored.code, /rows restored/.test(restored.out)], [0, true], restored.err);
  }

  it('says in one line that its port is taken', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const { port } = blocker.address() as { port: number };
    const { code, err } = await penstock(['serve'], { PENSTOCK_PORT: String(port) }).ended;
    blocker.close();
    assert.equal(code, 1);
    assert.match(err, new RegExp(`^penstock: port ${port} on 127\\.0\\.0\\.1 is in use .*\\n$`, 'm'));
    assert.ok(!err.includes('    at '));
  });
});
