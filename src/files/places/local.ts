import { constants, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { Failure, type FailureKind } from '../../errors.ts';
import { localPath } from '../../lakehouse/index.ts';
import type { Surroundings } from '../shapes.ts';
import type { ListedFile, OpenFile, Place } from './types.ts';
import { isHidden } from './types.ts';

const PIECE_BYTES = 256 * 1024;
const MOST_FILES = 1_000_000;

/**
 * A folder or a file of this machine. Links below the folder are not followed, so nothing outside of it is read; every
 * folder is asked of `allowPath`. Throws `configuration_invalid` at once for a path that may not be used.
 */
export function localPlace(url: string, { allowPath, log }: Surroundings): Place {
  const root = localPath(url);
  allowPath?.(root);
  return {
    namespace: lastFolder(root),
    patternText: (file) => file.path,
    list: (signal) => listBelow(root, { allowPath, log, signal }),
    open: (file, signal) => openListed(root, file, { allowPath, signal }),
  };
}

/** The folder's own name; for a single file that of the folder in which it lies. */
function lastFolder(root: string): string {
  const file = statSync(root, { throwIfNoEntry: false })?.isFile() === true;
  return basename(file ? dirname(root) : root) || 'root';
}

type Rules = Pick<Surroundings, 'allowPath'> & { readonly signal: AbortSignal };

async function listBelow(root: string, rules: Rules & Pick<Surroundings, 'log'>): Promise<ListedFile[]> {
  const found = await stat(root, { bigint: true }).catch((error: unknown) => {
    throw explain(error, root);
  });
  if (found.isFile()) return [describe(root, basename(root), found)];
  if (!found.isDirectory()) throw new Failure('configuration_invalid', `${root} is neither a folder nor a file`);
  const files: ListedFile[] = [];
  await listFolder(await realpath(root), '', { ...rules, shown: root, files });
  return files;
}

interface Listing extends Rules, Pick<Surroundings, 'log'> {
  /** The root as it was given, which may be a link. */
  readonly shown: string;
  readonly files: ListedFile[];
}

async function listFolder(folder: string, path: string, listing: Listing): Promise<void> {
  const { log, shown, files, signal } = listing;
  signal.throwIfAborted();
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw explain(error, folder);
  });
  for (const entry of entries) {
    if (isHidden(entry.name)) continue;
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    const full = join(folder, entry.name);
    if (entry.isSymbolicLink()) {
      log({ level: 'warn', message: `${join(shown, below)} is a link and is not followed` });
    } else if (entry.isDirectory()) {
      if (mayEnter(full, listing)) await listFolder(full, below, listing);
    } else if (entry.isFile()) {
      const found = await stat(full, { bigint: true }).catch(ifGone);
      if (found?.isFile()) files.push(describe(join(shown, below), below, found));
      if (files.length > MOST_FILES) throw new Failure('configuration_invalid', tooMany(shown));
    }
  }
}

function tooMany(root: string): string {
  return `${root} holds more than ${MOST_FILES} files; name folders below it instead`;
}

/** A folder that this server keeps for itself is passed over, whatever holds it. */
function mayEnter(folder: string, { allowPath, log }: Listing): boolean {
  try {
    allowPath?.(folder);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    log({ level: 'warn', message: `left out: ${error.message}` });
    return false;
  }
}

function describe(location: string, path: string, found: BigIntStats): ListedFile {
  return {
    location,
    path,
    bytes: Number(found.size),
    modified: floorMicros(found.mtimeNs),
    tag: String(found.ino),
  };
}

function floorMicros(nanos: bigint): bigint {
  return nanos >= 0n ? nanos / 1000n : (nanos - 999n) / 1000n;
}

async function openListed(root: string, file: ListedFile, { allowPath, signal }: Rules): Promise<OpenFile> {
  const { location } = file;
  const real = await realpath(location).catch((error: unknown) => {
    throw vanished(error, location);
  });
  const within = relative(await realpath(root).catch(() => root), real);
  if (within === '..' || within.startsWith(`..${sep}`)) throw changed(location, 'leads out of its folder now');
  allowPath?.(real);
  // The last part must not have become a link in the meantime, nor something that waits for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(real, flags).catch((error: unknown) => {
    throw vanished(error, location);
  });
  try {
    const grown = compare(file, await handle.stat({ bigint: true }));
    return openFile(handle, file, { grown, signal });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** True when the file only became longer; throws when it is another one. */
function compare(file: ListedFile, now: BigIntStats): boolean {
  if (!now.isFile() || String(now.ino) !== file.tag) throw changed(file.location, 'is another file now');
  if (floorMicros(now.mtimeNs) === file.modified && Number(now.size) === file.bytes) return false;
  if (Number(now.size) > file.bytes) return true;
  throw changed(file.location, 'was written anew');
}

function openFile(handle: FileHandle, file: ListedFile, { grown, signal }: { grown: boolean; signal: AbortSignal }) {
  const state = { grown };
  async function readAt(bytes: Uint8Array, start: number): Promise<number> {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
    return bytesRead;
  }
  const opened: OpenFile = {
    get grown() {
      return state.grown;
    },
    async *stream() {
      for (let at = 0; at < file.bytes;) {
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, file.bytes - at));
        const read = await readAt(piece, at);
        if (read === 0) throw changed(file.location, 'became shorter while it was read');
        at += read;
        // Known before the last piece is taken, because the reader must know whether the last record is whole.
        if (at === file.bytes) state.grown ||= compare(file, await handle.stat({ bigint: true }));
        yield piece.subarray(0, read);
      }
    },
    async range(start, end) {
      const bytes = new Uint8Array(end - start);
      for (let filled = 0; filled < bytes.length;) {
        const read = await readAt(bytes.subarray(filled), start + filled);
        if (read === 0) throw changed(file.location, 'became shorter while it was read');
        filled += read;
      }
      return bytes;
    },
    async confirm() {
      if (compare(file, await handle.stat({ bigint: true }))) throw changed(file.location, 'grew');
    },
    close: () => handle.close(),
  };
  return opened;
}

function changed(location: string, what: string): Failure {
  return new Failure('connection_lost', `${location} ${what}, after it was listed`, {
    advice:
      'The next attempt lists the files again. Copy finished files into the folder instead of writing them there piece by piece.',
  });
}

function vanished(error: unknown, location: string): Failure {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return changed(location, 'vanished');
  if (code === 'ELOOP') return changed(location, 'became a link');
  return explain(error, location);
}

function ifGone(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw error;
}

const KINDS: Readonly<Record<string, readonly [FailureKind, string]>> = {
  ENOENT: ['object_missing', 'does not exist'],
  ENOTDIR: ['object_missing', 'does not exist'],
  EACCES: ['permission_missing', 'may not be read by this server'],
  EPERM: ['permission_missing', 'may not be read by this server'],
  ELOOP: ['configuration_invalid', 'is a link to itself'],
  ENAMETOOLONG: ['configuration_invalid', 'is longer than a path may be'],
  EMFILE: ['storage_failed', 'cannot be opened: too many files are open'],
};

function explain(error: unknown, path: string): Failure {
  if (error instanceof Failure) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [kind, says] = KINDS[code] ?? ['storage_failed', `cannot be read: ${code || message}`];
  return new Failure(kind, `${path} ${says}`, { cause: error });
}
