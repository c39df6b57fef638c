/** Whether a load's snapshot sees a transaction, by the 32-bit number that the log gives of it. */
export type Sees = (xid: number) => boolean;

const SNAPSHOT = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/;

/**
 * Reads `LogMark.seen`: a snapshot as the server prints it, `xmin:xmax:running,…`. Numbers have 64 bits there and 32 in the log;
 * a transaction of the log is at most 2^31 away from the snapshot, so they are compared on the circle, as the server does.
 * Undefined when the text is no snapshot.
 */
export function readSnapshot(text: string): Sees | undefined {
  const match = SNAPSHOT.exec(text);
  if (!match) return undefined;
  const low = (digits: string): number => Number(BigInt.asUintN(32, BigInt(digits)));
  const end = low(match[2] ?? '');
  const running = new Set((match[3] ?? '').split(',').filter(Boolean).map(low));
  return (xid) => ((xid - end) | 0) < 0 && !running.has(xid);
}
