import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createWorld } from '../world.ts';
import { loadServerKey } from './key.ts';
import { createSecrets } from './secrets.ts';

const world = createWorld();
const key = Buffer.alloc(32, 1);

describe('a sealed value', () => {
  const secrets = createSecrets(key, world);
  const text = 'pass\u00e4 word \u{1f512}';
  const sealed = secrets.seal(text, 'connection/1');

  it('opens at its place, in any process with the same key', () => {
    assert.equal(createSecrets(Buffer.from(key), world).open(sealed, 'connection/1'), text);
    assert.equal(secrets.open(secrets.seal('', 'p'), 'p'), '');
  });

  it('is one printable string that differs each time and shows nothing', () => {
    assert.match(sealed, /^[\w.-]+$/);
    assert.notEqual(secrets.seal(text, 'connection/1'), sealed);
    assert.ok(!sealed.includes(Buffer.from(text).toString('base64url')));
  });

  it('does not open at another place, nor when any letter was changed', () => {
    assert.throws(() => secrets.open(sealed, 'connection/2'), { kind: 'internal', message: /connection\/2/ });
    for (let at = 0; at < sealed.length; at++) {
      const letter = sealed[at] === 'A' ? 'B' : 'A';
      const changed = sealed.slice(0, at) + letter + sealed.slice(at + 1);
      // The last letter of a base64 text may carry bits that mean nothing.
      const same = Buffer.from(changed.split('.')[3] ?? '', 'base64url').equals(
        Buffer.from(sealed.split('.')[3]!, 'base64url'),
      );
      if (!same || changed.split('.').slice(0, 2).join() !== sealed.split('.').slice(0, 2).join()) {
        assert.throws(() => secrets.open(changed, 'connection/1'), `letter ${at}`);
      }
    }
    for (const broken of ['', 'plain', 'pen1.a.b', `${sealed}.x`]) {
      assert.throws(() => secrets.open(broken, 'connection/1'), { kind: 'internal' });
    }
  });

  it('names the key it needs when another one is in use', () => {
    const foreign = createSecrets(Buffer.alloc(32, 2), world);
    assert.throws(() => foreign.open(sealed, 'connection/1'), {
      kind: 'configuration_invalid',
      message: new RegExp(sealed.split('.')[1]!),
    });
  });
});

describe('the server key', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-key-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('is the same for all who start at once, and leaves no drafts behind', async () => {
    const dataDir = join(folder, 'new');
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadServerKey({ secretKey: null, dataDir }, world)));
    for (const one of keys) assert.deepEqual(one, keys[0]);
    assert.deepEqual(await readdir(dataDir), ['secret.key']);
  });

  it('comes from the configuration when that has one', async () => {
    const secretKey = key.toString('base64');
    assert.deepEqual(await loadServerKey({ secretKey, dataDir: join(folder, 'none') }, world), key);
  });

  it('is refused, and not replaced, when its file is damaged', async () => {
    const path = join(folder, 'secret.key');
    await writeFile(path, 'short\n');
    await chmod(path, 0o600);
    await assert.rejects(loadServerKey({ secretKey: null, dataDir: folder }, world), {
      kind: 'configuration_invalid',
    });
  });
});
