import { Readable } from 'node:stream';
import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Failure } from '../errors.ts';
import { asBuffer } from './bytes.ts';
import type { Bytes } from './bytes.ts';
import { compressionOfBytes } from './formats.ts';
import type { Compression } from './formats.ts';

/**
 * The content of a stream whose compression is known or, with `auto`, shown by its first bytes, whatever the file's name
 * says. What comes out is bounded by how fast it is taken, not by what goes in: a file that unfolds to a thousand times
 * its size costs time, not memory. Answers `zip` in place of content, which is no stream.
 */
export async function inflate(
  bytes: Bytes,
  compression: Compression | 'auto',
  location: string,
): Promise<{ readonly bytes: Bytes; readonly packed: boolean } | 'zip'> {
  const { head, rest } = await peek(bytes);
  const actual = compression === 'auto' || head.length === 0 ? compressionOfBytes(head) : compression;
  if (actual === 'none') return { bytes: rest(), packed: false };
  if (actual === 'zip') return 'zip';
  const transform = actual === 'gzip' ? createGunzip() : createZstdDecompress();
  return { bytes: through(transform, rest(), location), packed: true };
}

/** The first four bytes or what there is, and everything with them. */
async function peek(bytes: Bytes): Promise<{ head: Uint8Array; rest: () => AsyncGenerator<Uint8Array> }> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < 4) {
    const next = await iterator.next();
    if (next.done) break;
    first.push(next.value);
    length += next.value.length;
  }
  const head = first.length === 1 ? first[0]! : Buffer.concat(first);
  async function* rest(): AsyncGenerator<Uint8Array> {
    try {
      yield head;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head, rest };
}

/** Runs bytes through a decompressor. Damage is told as `value_refused` with the file's name. */
export async function* through(transform: Transform, bytes: Bytes, location: string): AsyncGenerator<Buffer> {
  const input = Readable.from(bytes, { objectMode: true, highWaterMark: 1 });
  const failure: { cause?: unknown } = {};
  input.on('error', (error) => {
    failure.cause = error;
    transform.destroy(error);
  });
  input.pipe(transform);
  try {
    for await (const piece of transform) yield asBuffer(piece as Uint8Array);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (failure.cause !== undefined || !/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code)) throw failure.cause ?? error;
    throw new Failure('value_refused', `${location} is damaged: its compressed data cannot be read (${code})`, {
      cause: error,
    });
  } finally {
    input.destroy();
    transform.destroy();
  }
}
