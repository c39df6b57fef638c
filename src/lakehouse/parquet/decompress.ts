import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compressors } from 'hyparquet-compressors';

type Decompress = (page: Uint8Array, length: number) => Uint8Array;

/** A page never becomes larger than its header says, whatever is in it. */
const bounded = (length: number): { maxOutputLength: number; chunkSize: number } => ({
  maxOutputLength: Math.max(1, length),
  chunkSize: Math.max(64, length),
});

/** Decompressors by the names of the format: the engine's own where it has them, which are several times as fast. */
export const pageDecompressors: typeof compressors & { readonly ZSTD: Decompress; readonly GZIP: Decompress } = {
  ...compressors,
  ZSTD: (page, length) => plainBytes(zstdDecompressSync(page, bounded(length))),
  GZIP: (page, length) => plainBytes(gunzipSync(page, bounded(length))),
};

/** Decoders look at `.buffer`; a pooled buffer has strangers' bytes in it, which `byteOffset` steps over. */
const plainBytes = (bytes: Buffer): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
