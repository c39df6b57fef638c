import { createHash } from 'node:crypto';
import type { DataFile } from './listing.ts';
import type { FileChunk } from './shapes.ts';

/** Reading a file costs something whatever its size. */
const LEAST_BYTES = 16 * 1024;

/**
 * Groups files, which come in the order of their locations, to about `targetBytes` each. A chunk is a range of locations:
 * together they hold every location there is, so a file belongs to one chunk whatever comes and goes in between.
 */
export function planChunks(files: readonly DataFile[], targetBytes: number): FileChunk[] {
  const bounds: string[] = [];
  let bytes = 0;
  files.forEach((file, at) => {
    const size = Math.max(file.bytes, LEAST_BYTES);
    if (at > 0 && bytes > 0 && bytes + size > targetBytes) {
      bounds.push(file.location);
      bytes = 0;
    }
    bytes += size;
  });
  return [null, ...bounds].map((min, at) => ({ min, max: bounds[at] ?? null }));
}

export function filesOfChunk(files: readonly DataFile[], { min, max }: FileChunk): DataFile[] {
  return files.filter(({ location }) => (min === null || location >= min) && (max === null || location < max));
}

/** Names the present state of the files: another text when one of them was added, removed or changed. */
export function stateMark(files: readonly DataFile[]): string {
  const state = createHash('sha256');
  for (const { location, bytes, modified, tag } of files) {
    state.update(JSON.stringify([location, bytes, String(modified), tag]));
  }
  return state.digest('base64url');
}
