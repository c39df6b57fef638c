import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Failure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import { storageFailure } from './failure.ts';
import { createLocalStorage, probeLocalFolder } from './index.ts';
import { storageSuite } from './suite.test-support.ts';

const world = createWorld();
const storage = createLocalStorage(world);
let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'local-storage-'));
});
after(() => rm(root, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => Buffer.from(text);

storageSuite('a local folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'local-storage-'));
  return { storage, root: join(folder, 'root'), close: () => rm(folder, { recursive: true, force: true }) };
});

describe('files of a local folder', () => {
  it('are named by path or file URL, never by a relative path or one with NUL', async () => {
    const path = join(root, 'with space');
    await storage.put(pathToFileURL(path).href, bytes('x'));
    assert.equal(await storage.size(path), 1);
    for (const bad of ['relative/x', '', `${root}/a\0b`, 's3://bucket/x', 'file://elsewhere/x']) {
      await assert.rejects(storage.read(bad), { kind: 'configuration_invalid' }, bad);
    }
  });
});

describe('a folder that cannot be used', () => {
  it('fails with a sentence that names it', { skip: process.getuid?.() === 0 }, async () => {
    const folder = join(root, 'locked');
    await storage.put(join(folder, 'x'), bytes('x'));
    await chmod(folder, 0o500);
    await assert.rejects(storage.put(join(folder, 'y'), bytes('y')), { kind: 'storage_failed', message: /locked/ });
    await chmod(folder, 0o700);
  });

  it('tells full, read-only and forbidden apart', () => {
    const sentences = ['ENOSPC', 'EROFS', 'EACCES', 'EODD'].map(
      (code) => storageFailure(Object.assign(new Error(code), { code }), '/lake').message,
    );
    assert.deepEqual(sentences, [
      'The folder "/lake" has no space left.',
      'The folder "/lake" is read-only.',
      'The folder "/lake" may not be used by the user that Penstock runs as.',
      'The folder "/lake" failed (EODD).',
    ]);
    assert.ok(storageFailure(new Error('x'), '/lake') instanceof Failure);
  });

  it('is named when a file lies where a folder should be', async () => {
    await storage.put(join(root, 'plain'), bytes('x'));
    await assert.rejects(storage.put(join(root, 'plain/sub/y'), bytes('y')), { kind: 'storage_failed' });
  });
});

describe('a probe', () => {
  it('leaves nothing, also no folder that it made', async () => {
    await probeLocalFolder(world, join(root, 'probe/a/b'));
    await assert.rejects(stat(join(root, 'probe')), { code: 'ENOENT' });
    await storage.put(join(root, 'there/x'), bytes('x'));
    await probeLocalFolder(world, join(root, 'there'));
    assert.deepEqual(await readdir(join(root, 'there')), ['x']);
  });

  it('fails where nothing can be written', async () => {
    await storage.put(join(root, 'file'), bytes('x'));
    await assert.rejects(probeLocalFolder(world, join(root, 'file')), { kind: 'storage_failed' });
  });
});
