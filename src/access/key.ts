import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../errors.ts';
import type { World } from '../world.ts';

const FILE = 'secret.key';
const KEY_BYTES = 32;

/**
 * The server key: the configured one, else the one in `secret.key` of the data folder (base64, only its owner may read
 * it), which is made at the first start. Two processes that start at once end with the same key.
 */
export async function loadServerKey(
  config: { readonly secretKey: string | null; readonly dataDir: string },
  world: World,
): Promise<Buffer> {
  if (config.secretKey !== null) return Buffer.from(config.secretKey, 'base64');
  const path = join(config.dataDir, FILE);
  return (await readKey(path)) ?? (await makeKey(path, world));
}

async function readKey(path: string): Promise<Buffer | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Failure('storage_failed', `the server key ${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new Failure('configuration_invalid', `${path} does not hold a server key (${KEY_BYTES} bytes as base64)`, {
    advice: 'Put the file back from a backup. Without it the stored secrets cannot be opened.',
  });
}

async function makeKey(path: string, world: World): Promise<Buffer> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.${world.random(4).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${world.random(KEY_BYTES).toString('base64')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link, unlike a rename, never replaces a key that another process made in the meantime.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const key = await readKey(path);
  if (key === undefined) throw new Failure('storage_failed', `the server key ${path} vanished while it was made`);
  return key;
}
