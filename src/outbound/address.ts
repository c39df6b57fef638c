import { BlockList, isIP } from 'node:net';

/**
 * What an IP address reaches, each further inside than the one before: the public net; networks that are not public,
 * and addresses of no use outside; this machine; what answers with credentials of the machine to whoever asks, or is no
 * machine of anybody.
 */
const RANGES = ['public', 'private', 'local', 'never'] as const;
export type AddressRange = (typeof RANGES)[number];

type Subnet = readonly [address: string, prefix: number];

function listOf(...subnets: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return list;
}

const never = listOf(
  // Link-local, among it the metadata services of clouds; then those that lie elsewhere.
  ['169.254.0.0', 16],
  ['fe80::', 10],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
  // Groups, and the address of all.
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
  ['ff00::', 8],
);

const local = listOf(['127.0.0.0', 8], ['0.0.0.0', 8], ['::1', 128], ['::', 128]);

const notPublic = listOf(
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  // Protocol assignments, the relay of 6to4, benchmarks, documentation, reserved.
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['192.0.2.0', 24],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['240.0.0.0', 4],
  // Inside what IPv6 calls global: protocol assignments with Teredo, documentation, 6to4.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['2002::', 16],
);

/** All that IPv6 has given out for the public net; whatever lies outside is not public. */
const globalIpv6 = listOf(['2000::', 3]);

/**
 * Where an IP address leads. An IPv4 address in IPv6 form (mapped, NAT64, 6to4) is never public, and reaches as far
 * inside as what it stands for. A text that is no IP address is `never`.
 */
export function rangeOf(address: string): AddressRange {
  const bare = address.split('%', 1)[0]!;
  const family = isIP(bare);
  if (family === 0) return 'never';
  const forms = family === 4 ? [bare] : [bare, ...embeddedIpv4(bare)];
  return RANGES[Math.max(...forms.map((form) => RANGES.indexOf(rangeOfForm(form))))]!;
}

/** Whether an address reaches at most as far inside as `most`. */
export function isWithin(address: string, most: AddressRange): boolean {
  return RANGES.indexOf(rangeOf(address)) <= RANGES.indexOf(most);
}

function rangeOfForm(address: string): AddressRange {
  const kind = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  if (never.check(address, kind)) return 'never';
  if (local.check(address, kind)) return 'local';
  const isOutside = kind === 'ipv6' && !globalIpv6.check(address, kind);
  return isOutside || notPublic.check(address, kind) ? 'private' : 'public';
}

function embeddedIpv4(address: string): readonly string[] {
  const groups = readGroups(address);
  const toIpv4 = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const isZero = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  const found: string[] = [];
  const [g0 = 0, g1 = 0, g2 = 0, , , g5 = 0, g6 = 0, g7 = 0] = groups;
  const isMapped = isZero(0, 5) && (g5 === 0xffff || g5 === 0);
  // `64:ff9b:1::/48` is for the own network's translation, `::ffff:0:0:0/96` for the stateless one.
  const isNat64 = g0 === 0x64 && g1 === 0xff9b && (isZero(2, 6) || groups[2] === 1);
  const isTranslated = isZero(0, 4) && groups[4] === 0xffff && g5 === 0;
  if (isTranslated || (isMapped && (g6 !== 0 || g7 > 1)) || isNat64) found.push(toIpv4(g6, g7));
  if (g0 === 0x2002) found.push(toIpv4(g1, g2));
  return found;
}

/** The eight groups of a valid IPv6 address. */
function readGroups(address: string): readonly number[] {
  // The URL parser writes an address in its one canonical form, the IPv4 tail included.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const read = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const start = read(head);
  if (tail === undefined) return start;
  const end = read(tail);
  return [...start, ...Array.from({ length: 8 - start.length - end.length }, () => 0), ...end];
}
