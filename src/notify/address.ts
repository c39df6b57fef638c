import { BlockList, isIP } from 'node:net';

/** Answers with credentials of the machine to whoever asks: never a receiver of messages. */
const alwaysRefused = new BlockList();
alwaysRefused.addSubnet('169.254.0.0', 16, 'ipv4');
alwaysRefused.addSubnet('fe80::', 10, 'ipv6');
alwaysRefused.addAddress('fd00:ec2::254', 'ipv6');
alwaysRefused.addAddress('fd20:ce::254', 'ipv6');
alwaysRefused.addAddress('100.100.100.200', 'ipv4');
alwaysRefused.addAddress('168.63.129.16', 'ipv4');
alwaysRefused.addAddress('192.0.0.192', 'ipv4');
/** No machine of anybody: groups, and the address of all. */
alwaysRefused.addSubnet('224.0.0.0', 4, 'ipv4');
alwaysRefused.addAddress('255.255.255.255', 'ipv4');
alwaysRefused.addSubnet('ff00::', 8, 'ipv6');

/** This machine itself. */
const local = new BlockList();
local.addSubnet('127.0.0.0', 8, 'ipv4');
local.addSubnet('0.0.0.0', 8, 'ipv4');
local.addAddress('::1', 'ipv6');
local.addAddress('::', 'ipv6');

/**
 * Whether a message may go to this IP address. IPv4 addresses in IPv6 form (mapped, NAT64, 6to4) count as what they
 * stand for. `allowsLocal`: this machine may be reached, because only people of this machine use the server.
 */
export function isAllowedAddress(address: string, allowsLocal: boolean): boolean {
  const bare = address.split('%', 1)[0]!;
  const family = isIP(bare);
  if (family === 0) return false;
  const forms = family === 4 ? [bare] : [bare, ...embeddedIpv4(bare)];
  return forms.every((form) => {
    const kind = isIP(form) === 4 ? 'ipv4' : 'ipv6';
    return !alwaysRefused.check(form, kind) && (allowsLocal || !local.check(form, kind));
  });
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
