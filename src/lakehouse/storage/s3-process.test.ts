import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { TestS3 } from '../../../test/support/s3.ts';
import { startS3 } from '../../../test/support/s3.ts';
import { createWorld } from '../../world.ts';
import type { Storage } from './index.ts';
import { createS3Storage } from './index.ts';

let s3: TestS3;
let bucket = '';
before(async () => {
  s3 = await startS3();
  bucket = await s3.makeBucket('lake');
});
after(() => s3.close());

const openStorage = (): Storage => createS3Storage(createWorld(), s3.settings);
const pathOf = (key: string): string => `s3://${bucket}/${key}`;

const uploader = fileURLToPath(new URL('./s3-uploader.test-support.ts', import.meta.url));

/** Runs a program; answers what it printed, and how it ended. */
function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ readonly printed: string; readonly signal: string | null }> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  let printed = '';
  child.stdout.on('data', (piece: Buffer) => (printed += piece.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_, signal) => resolve({ printed, signal }));
  });
}

const runUploader = (...args: readonly string[]): ReturnType<typeof run> => run([uploader, ...args]);

describe('a process that uses S3', () => {
  it('uploads 300 MB within the memory of a few parts', async (t) => {
    const { printed } = await runUploader(JSON.stringify(s3.settings), pathOf('huge/file'), '300', '0');
    t.diagnostic(`memory grew by ${printed.trim()} MiB`);
    assert.ok(Number(printed) < 100, `memory grew by ${printed} MiB`);
    const storage = openStorage();
    assert.equal(await storage.size(pathOf('huge/file')), 300 << 20);
    for (const at of [1, 8, 9, 150, 300]) {
      const mark = await storage.readRange(pathOf('huge/file'), (at - 1) << 20, ((at - 1) << 20) + 4);
      assert.equal(mark.readUInt32LE(0), at);
    }
  });

  it('leaves an upload behind when it is killed, which the next one finds and gives up', async () => {
    const { signal } = await runUploader(JSON.stringify(s3.settings), pathOf('killed/x.parquet'), '40', '30');
    assert.equal(signal, 'SIGKILL');
    const storage = openStorage();
    assert.deepEqual(await storage.list(pathOf('killed')), [pathOf('killed/x.parquet.warm')]);
    const begun = (await storage.list(pathOf('killed'), { unfinished: true })).filter((path) => path.endsWith('.part'));
    assert.equal(begun.length, 1);
    for (const path of begun) await storage.remove(path);
    assert.deepEqual(await s3.listUploads(bucket), []);
  });

  it('takes keys from its surroundings when the connection holds none, and says when there are none', async () => {
    const settings = JSON.stringify({ endpoint: s3.endpoint });
    const bare = { HOME: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true', AWS_PROFILE: undefined };
    const keys = { AWS_ACCESS_KEY_ID: s3.settings.accessKey, AWS_SECRET_ACCESS_KEY: s3.settings.secretKey };
    await run([uploader, settings, pathOf('ambient'), '1', '0'], { ...bare, ...keys });
    assert.equal(await openStorage().size(pathOf('ambient')), 1 << 20);
    const script = `
      import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})
        .then(({ createS3Storage }) => createS3Storage({}, ${settings}).read('s3://lake/ambient'))
        .catch((error) => console.log(error.kind))`;
    const none = { ...bare, AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
    assert.equal((await run(['-e', script], none)).printed.trim(), 'credentials_refused');
  });

  it('loads the SDK only when it does', async () => {
    const index = fileURLToPath(new URL('../index.ts', import.meta.url));
    const script = `
      import { createRequire } from 'node:module';
      const { createStorage } = await import(${JSON.stringify(index)});
      createStorage({ world: { reach() {} }, s3: { region: 'eu-west-1' } });
      const loaded = Object.keys(createRequire('/').cache).filter((path) => path.includes('@aws-sdk'));
      console.log(loaded.length);`;
    const { printed } = await run(['--input-type=module', '-e', script]);
    assert.equal(printed.trim(), '0');
  });
});
