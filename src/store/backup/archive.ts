import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { Failure } from '../../errors.ts';

/**
 * The file of a backup: gzip of blocks. A block is its length (4 bytes, big-endian) and that many bytes; an empty block
 * ends a table. Blocks in order: header (JSON), per table its data blocks and an empty one, trailer (JSON), which holds
 * the SHA-256 of everything before it.
 */
const LARGEST_BLOCK_BYTES = 1_100_000_000;

export interface ArchiveWriter {
  block(bytes: Buffer): Promise<void>;
  /** Writes the trailer with the checksum, and gives the file its name once it is safely on the disk. */
  finish(trailer: object): Promise<void>;
  abort(): Promise<void>;
}

/** Starts a file; nothing is at `path` before `finish`. */
export function createArchive(path: string): ArchiveWriter {
  const draft = `${path}.part`;
  const hash = createHash('sha256');
  const gzip = createGzip({ level: 5 });
  const done = pipeline(gzip, createWriteStream(draft, { mode: 0o600 }));
  // Told to whoever writes or finishes; a failure before that must not end the process.
  done.catch(() => undefined);
  const put = async (bytes: Buffer): Promise<void> => {
    if (!gzip.write(bytes)) await Promise.race([once(gzip, 'drain'), done]);
  };
  const block = async (bytes: Buffer): Promise<void> => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
    await put(length);
    if (bytes.length > 0) await put(bytes);
  };
  return {
    block,
    async finish(trailer) {
      await block(Buffer.from(JSON.stringify({ ...trailer, sha256: hash.copy().digest('hex') })));
      gzip.end();
      await done;
      const handle = await open(draft);
      await handle.sync();
      await handle.close();
      await rename(draft, path);
    },
    async abort() {
      gzip.destroy();
      await done.catch(() => undefined);
      await rm(draft, { force: true });
    },
  };
}

export interface ArchiveReader {
  /** The next block that is not data: header or trailer. */
  json(): Promise<unknown>;
  /** The data blocks up to the end of the table. */
  table(): AsyncIterable<Buffer>;
  /** The checksum of what has been read, to compare with the trailer's. */
  checksum(): string;
  /** True when nothing follows; also proves that the compressed stream is whole. */
  isAtEnd(): Promise<boolean>;
  close(): Promise<void>;
}

function damaged(path: string, cause?: unknown): Failure {
  return new Failure('unprocessable', `${path} is not a backup of Penstock, or it is damaged or cut short`, {
    cause,
    advice: 'Use another copy of the file; nothing was changed.',
  });
}

/** Reads a file in bounded pieces. Whatever is wrong with its bytes is told as one `unprocessable` failure. */
export function openArchive(path: string): ArchiveReader {
  const file = createReadStream(path);
  const gunzip = createGunzip();
  const done = pipeline(file, gunzip).catch(() => undefined);
  const source = gunzip[Symbol.asyncIterator]();
  const hash = createHash('sha256');
  let rest: Buffer = Buffer.alloc(0);

  const more = async (): Promise<boolean> => {
    try {
      const next = await source.next();
      if (next.done) return false;
      rest = rest.length === 0 ? (next.value as Buffer) : Buffer.concat([rest, next.value as Buffer]);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new Failure('not_found', `there is no file ${path}`, { cause: error });
      }
      throw damaged(path, error);
    }
  };
  const take = async (count: number): Promise<Buffer> => {
    while (rest.length < count) if (!(await more())) throw damaged(path);
    const bytes = rest.subarray(0, count);
    rest = rest.subarray(count);
    return bytes;
  };
  const block = async (isHashed: boolean): Promise<Buffer> => {
    const head = await take(4);
    const length = head.readUInt32BE();
    if (length > LARGEST_BLOCK_BYTES) throw damaged(path);
    const bytes = await take(length);
    if (isHashed) hash.update(head).update(bytes);
    return bytes;
  };
  let isFirst = true;
  return {
    async json() {
      const bytes = await block(isFirst);
      isFirst = false;
      try {
        return JSON.parse(bytes.toString()) as unknown;
      } catch (error) {
        throw damaged(path, error);
      }
    },
    async *table() {
      for (let bytes = await block(true); bytes.length > 0; bytes = await block(true)) yield bytes;
    },
    checksum: () => hash.copy().digest('hex'),
    isAtEnd: async () => rest.length === 0 && !(await more()),
    async close() {
      gunzip.destroy();
      file.destroy();
      await done;
    },
  };
}
