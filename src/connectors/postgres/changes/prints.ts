import { timestampText } from '../../../columns/index.ts';
import { EPOCH_SHIFT } from '../wire/values.ts';
import { cellText, type Cell } from './row.ts';

/** The text of a binary value: what the server would print, times as the lake's canonical text. */
export type Print = (cell: Cell) => string;

const MICROS_OF_DAY = 86_400_000_000n;

const printTime: Print = ({ view, at }) => {
  const micros = view.getBigInt64(at);
  const whole = Number(micros / 1_000_000n);
  const part = (value: number): string => String(value).padStart(2, '0');
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const clock = `${part(Math.floor(whole / 3600))}:${part(Math.floor(whole / 60) % 60)}:${part(whole % 60)}`;
  return fraction === '' ? clock : `${clock}.${fraction}`;
};

/** Types of `pg_catalog` whose binary form is read here; all others are asked for as text. */
export const printers: Readonly<Record<string, Print>> = {
  bool: ({ bytes, at }) => (bytes[at] === 1 ? 'true' : 'false'),
  int2: ({ view, at }) => String(view.getInt16(at)),
  int4: ({ view, at }) => String(view.getInt32(at)),
  int8: ({ view, at }) => String(view.getBigInt64(at)),
  oid: ({ view, at }) => String(view.getUint32(at)),
  float4: ({ view, at }) => String(view.getFloat32(at)),
  float8: ({ view, at }) => String(view.getFloat64(at)),
  numeric: ({ view, at }) => printNumeric(view, at),
  date: ({ view, at }) => timestampText(BigInt(view.getInt32(at)) * MICROS_OF_DAY + EPOCH_SHIFT),
  timestamp: ({ view, at }) => timestampText(view.getBigInt64(at) + EPOCH_SHIFT),
  timestamptz: ({ view, at }) => timestampText(view.getBigInt64(at) + EPOCH_SHIFT),
  time: printTime,
  uuid: ({ bytes, at }) =>
    bytes.toString('hex', at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  bytea: ({ bytes, at, length }) => `\\x${bytes.toString('hex', at, at + length)}`,
  jsonb: ({ bytes, at, length }) => bytes.toString('utf8', at + 1, at + length),
  text: cellText,
  varchar: cellText,
  bpchar: cellText,
  json: cellText,
  name: cellText,
};

const SPECIAL: Readonly<Record<number, string>> = { 0xc000: 'NaN', 0xd000: 'Infinity', 0xf000: '-Infinity' };

function printNumeric(view: DataView, at: number): string {
  const groups = view.getInt16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  const scale = view.getUint16(at + 6);
  const special = SPECIAL[sign];
  if (special !== undefined) return special;
  const group = (index: number): string =>
    String(index >= 0 && index < groups ? view.getUint16(at + 8 + index * 2) : 0).padStart(4, '0');
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += group(index);
  let fraction = '';
  // Below a weight of -1 groups of zeros stand between the point and the first group.
  for (let index = weight + 1; fraction.length < scale; index++) fraction += group(index);
  return `${sign === 0 ? '' : '-'}${whole.replace(/^0+/, '') || '0'}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`;
}
