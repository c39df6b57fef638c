import { Failure } from '../../../errors.ts';

const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/** A place in the write-ahead log as a number; undefined when the text is none. */
export function readLsn(text: string): bigint | undefined {
  const match = LSN.exec(text);
  if (!match) return undefined;
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** As `readLsn`; throws `configuration_invalid` when the text is no place. */
export function parseLsn(text: string): bigint {
  const lsn = readLsn(text);
  if (lsn === undefined) throw new Failure('configuration_invalid', 'the state holds no place in a log (X/Y)');
  return lsn;
}

/** As the server prints it: `16/B374D848`. */
export function printLsn(lsn: bigint): string {
  const part = (value: bigint): string => value.toString(16).toUpperCase();
  return `${part(lsn >> 32n)}/${part(lsn & 0xffff_ffffn)}`;
}

const PAGE = 8192n;
const LONGEST_PAGE_HEADER = 40n;

/**
 * True when no record ends after `lsn` (the end of a record) and at or before `target`. Where a page ends, the next
 * record begins only behind the header of the next page: a target in that header is reached as well.
 */
export function reaches(lsn: bigint, target: bigint): boolean {
  return lsn >= target || (lsn % PAGE === 0n && target - lsn <= LONGEST_PAGE_HEADER);
}
