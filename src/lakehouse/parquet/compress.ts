import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { compressSnappy } from './snappy.ts';
import type { ParquetCodec } from './types.ts';

/** Parquet's numbers for codecs. */
export const codecNumbers: Readonly<Record<ParquetCodec, number>> = { none: 0, snappy: 1, gzip: 2, zstd: 6 };

/**
 * One page compressed; the answer never shares memory with the page. `guess` is the size that the answer may have: room
 * for it is taken at first, as memory that has to be freed again costs more than a second helping. Synchronous on
 * purpose: the thread pool was measured to cost a seventh more processor time per row, and with two readers on two
 * cores it wins nothing.
 */
export function compressPage(codec: ParquetCodec, page: Uint8Array, guess: number): Uint8Array {
  switch (codec) {
    case 'none':
      return new Uint8Array(page);
    case 'gzip':
      return gzipSync(page, { level: 1 });
    case 'snappy':
      return compressSnappy(page);
    case 'zstd':
      return zstdCompressSync(page, {
        params: { [constants.ZSTD_c_compressionLevel]: 1 },
        chunkSize: Math.max(1024, Math.ceil(Math.min(guess, page.length * 1.01)) + 512),
        pledgedSrcSize: page.length,
      });
  }
}

/**
 * Gives the memory of a page back at once that `compressPage` made and nobody reads any more. The collector would do it,
 * too; but it is called for every few dozen megabytes of pages, and marks everything that a load holds each time. Small
 * pages lie in memory that others share.
 */
export function releasePage(page: Uint8Array): void {
  if (page.buffer.byteLength > Buffer.poolSize) (page.buffer as ArrayBuffer).transfer(0);
}
