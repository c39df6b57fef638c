import type { World } from '../world.ts';

/** A random UUID (RFC 9562, version 4). */
export function newUuid(world: World): string {
  const bytes = world.random(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
