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

const world = createWorld();
const storage = createLocalStorage(world);
let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'local-storage-'));
});
after(() => rm(root, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('files of a local folder', () => {
  it('appear under their name only when they are closed', async () => {
    const path = join(root, 'new/deep/file.parquet');
    const output = await storage.createFile(path);
    await output.write([bytes('a'), new Uint8Array(0), bytes('bc')]);
    await output.write(Array.from({ length: 2000 }, () => bytes('d')));
    assert.equal(await storage.read(path), undefined);
    assert.ok((await storage.list(root)).every((name) => !name.endsWith('.parquet')));
    await output.close();
    assert.equal((await storage.read(path))?.toString(), `abc${'d'.repeat(2000)}`);
    assert.equal(await storage.size(path), 2003);
    assert.equal((await storage.readRange(path, 1, 4)).toString(), 'bcd');
    assert.deepEqual(await readdir(join(root, 'new/deep')), ['file.parquet']);
    await assert.rejects(storage.readRange(path, 2000, 2004), { kind: 'storage_failed' });
  });

  it('leave nothing when they are aborted, and stay when they were closed before', async () => {
    const folder = join(root, 'aborted');
    const output = await storage.createFile(join(folder, 'x'));
    await output.write([bytes('a')]);
    await output.abort();
    await output.abort();
    const kept = await storage.createFile(join(folder, 'y'));
    await kept.close();
    await kept.abort();
    assert.deepEqual(await readdir(folder), ['y']);
  });

  it('are put whole, and only once with ifAbsent, also when many try at once', async () => {
    const path = join(root, 'claims/1.json');
    const tries = Array.from({ length: 20 }, (_, at) => storage.put(path, bytes(`writer ${at}`), { ifAbsent: true }));
    const outcomes = await Promise.all(tries);
    assert.equal(outcomes.filter(Boolean).length, 1);
    assert.equal((await storage.read(path))?.toString(), `writer ${outcomes.indexOf(true)}`);
    assert.equal(await storage.put(path, bytes('replaced')), true);
    assert.equal((await storage.read(path))?.toString(), 'replaced');
    assert.deepEqual(await readdir(join(root, 'claims')), ['1.json']);
  });

  it('are renamed over others, listed, removed; what is not there is no error', async () => {
    const folder = join(root, 'moves');
    await storage.put(join(folder, 'a'), bytes('a'));
    await storage.put(join(folder, 'sub/b'), bytes('b'));
    await storage.move(join(folder, 'a'), join(folder, 'sub/b'));
    assert.deepEqual(await storage.list(folder), [join(folder, 'sub/b')]);
    assert.equal((await storage.read(join(folder, 'sub/b')))?.toString(), 'a');
    await storage.remove(join(folder, 'sub/b'));
    await storage.remove(join(folder, 'sub/b'));
    await storage.removeFolder(folder);
    await storage.removeFolder(folder);
    assert.deepEqual(await storage.list(folder), []);
    assert.equal(await storage.size(join(folder, 'a')), undefined);
    await assert.rejects(storage.move(join(folder, 'a'), join(folder, 'b')), { kind: 'storage_failed' });
  });

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
