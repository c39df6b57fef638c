import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { link, mkdir, open, opendir, readFile, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { newId } from '../../world.ts';
import { storageFailure } from './failure.ts';
import type { OutputFile, Storage, StoredFile, StreamOptions } from './types.ts';
import { readUnfinished, unfinishedPath } from './unfinished.ts';

/**
 * Files of this machine. Locations are absolute paths or `file://` URLs; which folders may be used is the caller's to
 * decide. A new file grows under a temporary name beside its own (`.name.<id>.part`, which no `*.parquet` glob
 * matches), is synced, and takes its name last. Folders are made as needed.
 */
export function createLocalStorage(world: World): Storage {
  const temporaryName = (path: string): string => unfinishedPath(path, newId(world, 'w'));

  return {
    async createFile(location) {
      const path = localPath(location);
      return attempt(path, () => createOutput(path, temporaryName(path)));
    },
    async put(location, bytes, options = {}) {
      const path = localPath(location);
      return attempt(path, async () => {
        const temporary = temporaryName(path);
        const output = await createOutput(path, temporary, options.ifAbsent ? linkIfAbsent : rename);
        try {
          await output.write([bytes]);
          return (await output.finish()) !== false;
        } finally {
          await output.abort();
        }
      });
    },
    async read(location) {
      const path = localPath(location);
      return attempt(path, () => ifThere(readFile(path)));
    },
    async readRange(location, start, end) {
      const path = localPath(location);
      return attempt(path, () => readPart(path, start, end));
    },
    readStream: (location, options) => streamFile(localPath(location), options),
    async size(location) {
      const path = localPath(location);
      return attempt(path, async () => (await ifThere(stat(path)))?.size);
    },
    async move(from, to) {
      const [source, target] = [localPath(from), localPath(to)];
      await attempt(target, async () => {
        await makeFolder(dirname(target));
        await rename(source, target);
        await syncFolder(dirname(target));
        if (dirname(source) !== dirname(target)) await syncFolder(dirname(source));
      });
    },
    async list(folder, { unfinished = false } = {}) {
      const path = localPath(folder);
      const files = await attempt(path, () => listFiles(path));
      return unfinished ? files : files.filter((file) => readUnfinished(file) === undefined);
    },
    walk: (folder, { signal } = {}) => walkFiles(localPath(folder), signal),
    async remove(location) {
      const path = localPath(location);
      await attempt(path, () => ifThere(unlink(path)));
    },
    async removeFolder(location) {
      const path = localPath(location);
      await attempt(path, () => rm(path, { recursive: true, force: true }));
    },
  };
}

/** The path that a location names; refuses what is not an absolute path of this machine. */
export function localPath(location: string): string {
  const path = location.startsWith('file:') ? fromFileUrl(location) : location;
  if (path.includes('\0')) throw new Failure('configuration_invalid', 'A path must not contain a NUL character.');
  if (!isAbsolute(path)) {
    throw new Failure('configuration_invalid', `"${location}" is neither an absolute path nor a file:// URL.`);
  }
  return normalize(path);
}

function fromFileUrl(location: string): string {
  try {
    return fileURLToPath(location);
  } catch (cause) {
    throw new Failure('configuration_invalid', `"${location}" is not a file:// URL of this machine.`, { cause });
  }
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageFailure(error, dirname(path));
  }
}

async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = (await ifThere(readdir(folder, { recursive: true, withFileTypes: true }))) ?? [];
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name)).sort();
}

async function* streamFile(
  path: string,
  { start = 0, end = Infinity, signal }: StreamOptions = {},
): AsyncGenerator<Buffer> {
  if (end <= start) return;
  const stream = createReadStream(path, { start, end: end - 1, highWaterMark: 1 << 20, ...(signal && { signal }) });
  try {
    for await (const piece of stream) yield piece as Buffer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw storageFailure(error, dirname(path));
    throw new Failure('object_missing', `The file "${path}" does not exist.`, { cause: error });
  }
}

/** Folder by folder; links are not followed, and files that vanish meanwhile are left out. */
async function* walkFiles(folder: string, signal: AbortSignal | undefined): AsyncGenerator<StoredFile> {
  const entries = await attempt(folder, async () => await ifThere(opendir(folder)));
  if (entries === undefined) return;
  for await (const entry of entries) {
    signal?.throwIfAborted();
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walkFiles(path, signal);
    if (!entry.isFile() || readUnfinished(path) !== undefined) continue;
    const found = await ifThere(stat(path));
    if (found) yield { path, bytes: found.size, modified: found.mtime, tag: undefined };
  }
}

async function readPart(path: string, start: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(end - start);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
      if (bytesRead === 0) throw new Failure('storage_failed', `The file "${path}" ends before byte ${end}.`);
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** Takes the final name; false when it must not. The temporary name may remain. */
type Publish = (temporary: string, path: string) => Promise<boolean | void>;

interface LocalOutput extends OutputFile {
  /** As `close`, and tells whether the name was taken. */
  finish(): Promise<boolean | void>;
}

async function createOutput(path: string, temporary: string, publish: Publish = rename): Promise<LocalOutput> {
  await makeFolder(dirname(path));
  const file: FileHandle = await open(temporary, 'wx');
  let state: 'open' | 'closed' | 'gone' = 'open';

  async function closeHandle(): Promise<void> {
    if (state !== 'open') return;
    state = 'closed';
    await file.close();
  }
  async function finish(): Promise<boolean | void> {
    await file.sync();
    await closeHandle();
    const published = await publish(temporary, path);
    if (publish === rename) state = 'gone';
    await syncFolder(dirname(path));
    return published;
  }
  return {
    write: (pieces) => attempt(path, () => writeAll(file, pieces)),
    finish,
    close: () => attempt(path, async () => void (await finish())),
    async abort() {
      try {
        await closeHandle();
        if (state === 'closed') await unlink(temporary);
        state = 'gone';
      } catch {
        // What cannot be removed now is an unlisted temporary file, which recovery drops.
      }
    },
  };
}

async function linkIfAbsent(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Writes every byte: a single `writev` may stop early. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces.filter((piece) => piece.length > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest.slice(0, 512));
    let whole = 0;
    while (whole < rest.length && bytesWritten >= rest[whole]!.length) bytesWritten -= rest[whole++]!.length;
    rest = rest.slice(whole);
    if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten);
  }
}

/** Makes a folder and those above it, and makes every new name durable. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true }).catch((error) => explainMissing(folder, error));
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** The runtime says of a file system that is read-only that a folder is missing; the step that fails says the reason. */
async function explainMissing(folder: string, error: NodeJS.ErrnoException): Promise<undefined> {
  if (error.code !== 'ENOENT') throw error;
  let step = folder;
  while (step !== dirname(step) && (await ifThere(stat(dirname(step)))) === undefined) step = dirname(step);
  await mkdir(step);
  throw error;
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
