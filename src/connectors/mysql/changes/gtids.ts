/** One global number of a transaction: of a domain (MariaDB) or of the server that wrote it first (MySQL). */
export interface Gtid {
  readonly source: string;
  readonly sequence: number;
  /** MariaDB: number of the server that wrote it; 0 for MySQL. */
  readonly server: number;
}

interface Numbers {
  server: number;
  /** First and last, ascending, apart. MariaDB: one from 1 to the last. */
  readonly ranges: [number, number][];
}

/**
 * Which transactions a reader or a server holds, by their global numbers. As text `domain-server-sequence,…` (MariaDB: the
 * last of each domain) or `uuid:1-5:7,…` (MySQL: all).
 */
export interface Gtids {
  readonly flavor: 'mariadb' | 'mysql';
  readonly sources: Map<string, Numbers>;
}

const OF_MARIADB = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/;
const OF_MYSQL = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::\d{1,19}(?:-\d{1,19})?)+$/i;
/** A longer text is not kept in positions. */
export const LONGEST_GTIDS = 65_536;

/** Undefined when the text is of another shape (tags of MySQL 8.3 among them) or too long. Nothing is `''`. */
export function parseGtids(text: string, flavor?: Gtids['flavor']): Gtids | undefined {
  const plain = text.replace(/\s/g, '');
  if (plain.length > LONGEST_GTIDS) return undefined;
  const parts = plain === '' ? [] : plain.split(',');
  const found = OF_MYSQL.test(parts[0] ?? '') ? 'mysql' : 'mariadb';
  const gtids: Gtids = { flavor: parts.length === 0 ? (flavor ?? found) : found, sources: new Map() };
  for (const part of parts) {
    if (!takePart(gtids, part)) return undefined;
  }
  return gtids;
}

function takePart(gtids: Gtids, part: string): boolean {
  if (gtids.flavor === 'mariadb') {
    const [whole, source, server, sequence] = OF_MARIADB.exec(part) ?? [];
    if (whole === undefined || !Number.isSafeInteger(Number(sequence))) return false;
    addGtid(gtids, { source: String(Number(source)), server: Number(server), sequence: Number(sequence) });
    return true;
  }
  if (!OF_MYSQL.test(part)) return false;
  const [source = '', ...ranges] = part.split(':');
  for (const range of ranges) {
    const [first = 0, last = first] = range.split('-').map(Number);
    if (first < 1 || last < first || !Number.isSafeInteger(last)) return false;
    addRange(numbersOf(gtids, source.toLowerCase()).ranges, first, last);
  }
  return true;
}

export function printGtids({ flavor, sources }: Gtids): string {
  const parts = [...sources].map(([source, { server, ranges }]) => {
    if (flavor === 'mariadb') return `${source}-${server}-${ranges[0]?.[1] ?? 0}`;
    return [source, ...ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))].join(':');
  });
  return parts.toSorted().join(',');
}

export function copyGtids({ flavor, sources }: Gtids): Gtids {
  const copied = [...sources].map(
    ([source, { server, ranges }]) =>
      [source, { server, ranges: ranges.map((range): [number, number] => [...range]) }] as const,
  );
  return { flavor, sources: new Map(copied) };
}

/** Adds a transaction. Of MariaDB, all of the domain before it are held as well. */
export function addGtid(gtids: Gtids, { source, sequence, server }: Gtid): void {
  const numbers = numbersOf(gtids, source);
  const { ranges } = numbers;
  if (gtids.flavor === 'mysql') {
    const last = ranges.at(-1);
    if (last && last[1] + 1 === sequence) last[1] = sequence;
    else addRange(ranges, sequence, sequence);
    return;
  }
  const range = ranges[0];
  if (range && range[1] > sequence) return;
  if (range) range[1] = sequence;
  else ranges.push([1, sequence]);
  numbers.server = server;
}

function numbersOf({ sources }: Gtids, source: string): Numbers {
  const known = sources.get(source);
  if (known) return known;
  const fresh: Numbers = { server: 0, ranges: [] };
  sources.set(source, fresh);
  return fresh;
}

function addRange(ranges: [number, number][], first: number, last: number): void {
  const merged: [number, number] = [first, last];
  const apart = ranges.filter(([from, to]) => {
    if (to + 1 < merged[0] || from > merged[1] + 1) return true;
    merged[0] = Math.min(merged[0], from);
    merged[1] = Math.max(merged[1], to);
    return false;
  });
  ranges.splice(0, ranges.length, ...[...apart, merged].toSorted((a, b) => a[0] - b[0]));
}

/** True when everything in `others` is in `gtids`. */
export function covers(gtids: Gtids, others: Gtids): boolean {
  for (const [source, { ranges }] of others.sources) {
    for (const [first, last] of ranges) if (!coversRange(gtids, source, [first, last])) return false;
  }
  return true;
}

export function holds(gtids: Gtids, { source, sequence }: Gtid): boolean {
  return coversRange(gtids, source, [sequence, sequence]);
}

function coversRange({ sources }: Gtids, source: string, [first, last]: [number, number]): boolean {
  return sources.get(source)?.ranges.some(([from, to]) => from <= first && last <= to) ?? false;
}

/**
 * True when the server wrote or took over what `gtids` names. `history`: MariaDB, `gtid_binlog_state`, the last number of
 * each server in each domain: a number alone says nothing, since two servers that went apart count on alike. MySQL,
 * `gtid_executed`.
 */
export function isPartOf(gtids: Gtids, history: string): boolean {
  if (gtids.sources.size === 0) return true;
  if (gtids.flavor === 'mysql') {
    const executed = parseGtids(history, 'mysql');
    return executed?.flavor === 'mysql' && covers(executed, gtids);
  }
  const last = new Map<string, number>();
  for (const part of history.split(',')) {
    const [, domain, server, sequence] = OF_MARIADB.exec(part.trim()) ?? [];
    if (domain !== undefined) last.set(`${Number(domain)}-${Number(server)}`, Number(sequence));
  }
  return [...gtids.sources].every(
    ([domain, { server, ranges }]) => (last.get(`${domain}-${server}`) ?? 0) >= (ranges[0]?.[1] ?? 0),
  );
}

/** The set as MySQL takes it with `COM_BINLOG_DUMP_GTID`: count; per source its 16 bytes, count, first and one past the last. */
export function encodeGtids({ sources }: Gtids): Buffer {
  const parts = [number64(sources.size)];
  for (const [source, { ranges }] of sources) {
    parts.push(Buffer.from(source.replaceAll('-', ''), 'hex'), number64(ranges.length));
    for (const [first, last] of ranges) parts.push(number64(first), number64(last + 1));
  }
  return Buffer.concat(parts);
}

function number64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
