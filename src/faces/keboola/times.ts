/** ISO 8601 in UTC, seconds, `+00:00` (2.6); null stays null. */
export function showTime(time: Date): string;
export function showTime(time: Date | null): string | null;
export function showTime(time: Date | null): string | null {
  return time && `${time.toISOString().slice(0, 19)}+00:00`;
}

/** As `showTime`, with the offset that the storage subset writes: `+0000`. */
export function showStorageTime(time: Date): string;
export function showStorageTime(time: Date | null): string | null;
export function showStorageTime(time: Date | null): string | null {
  return time && `${time.toISOString().slice(0, 19)}+0000`;
}
