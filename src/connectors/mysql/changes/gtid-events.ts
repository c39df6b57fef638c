import type { LogEvent } from './events.ts';
import { addGtid, parseGtids, type Gtid, type Gtids } from './gtids.ts';

/** `GTID_EVENT` of MariaDB: sequence (8 bytes), domain (4), flags; the server stands in the head. */
export function mariadbGtid({ view, from, serverId }: LogEvent): Gtid {
  return {
    source: String(view.getUint32(from + 8, true)),
    sequence: view.getUint32(from, true) + view.getUint32(from + 4, true) * 2 ** 32,
    server: serverId,
  };
}

let lastBytes: Buffer = Buffer.alloc(16);
let lastUuid = uuidOf(lastBytes);

/** `GTID_LOG_EVENT` of MySQL: flags, 16 bytes of the source, sequence (8). */
export function mysqlGtid({ bytes, view, from }: LogEvent): Gtid {
  if (bytes.compare(lastBytes, 0, 16, from + 1, from + 17) !== 0) {
    lastBytes = Buffer.from(bytes.subarray(from + 1, from + 17));
    lastUuid = uuidOf(lastBytes);
  }
  const sequence = view.getUint32(from + 17, true) + view.getUint32(from + 21, true) * 2 ** 32;
  return { source: lastUuid, sequence, server: 0 };
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** `GTID_LIST_EVENT` of MariaDB, what was written before its file: count (28 bits); domain, server, sequence. Later ones count. */
export function gtidList({ view, from, end }: LogEvent): Gtids | undefined {
  const count = view.getUint32(from, true) & 0x0fff_ffff;
  if (from + 4 + count * 16 > end) return undefined;
  const last = new Map<string, string>();
  for (let at = from + 4; at < from + 4 + count * 16; at += 16) {
    const domain = view.getUint32(at, true);
    last.set(String(domain), `${domain}-${view.getUint32(at + 4, true)}-${view.getBigUint64(at + 8, true)}`);
  }
  return parseGtids([...last.values()].join(','), 'mariadb');
}

/** `PREVIOUS_GTIDS_LOG_EVENT` of MySQL; undefined for the form with tags. */
export function previousGtids({ bytes, view, from, end }: LogEvent): Gtids | undefined {
  const gtids: Gtids = { flavor: 'mysql', sources: new Map() };
  let at = from + 8;
  for (let left = view.getBigUint64(from, true); left > 0n; left--) {
    if (at + 24 > end) return undefined;
    const source = uuidOf(bytes.subarray(at, at + 16));
    let ranges = view.getBigUint64(at + 16, true);
    at += 24;
    for (; ranges > 0n; ranges--, at += 16) {
      if (at + 16 > end) return undefined;
      const [first, behind] = [Number(view.getBigUint64(at, true)), Number(view.getBigUint64(at + 8, true))];
      // One after the other, they join the range before them where they touch it.
      addGtid(gtids, { source, sequence: first, server: 0 });
      const last = gtids.sources.get(source)?.ranges.at(-1);
      if (last) last[1] = Math.max(last[1], behind - 1);
    }
  }
  return gtids;
}
