import type { Column, ColumnVector } from '../../../columns/index.ts';
import { TYPE } from './table-map.ts';
import type { LogColumn, LogTarget } from './columns.ts';
import {
  bufferCode,
  FIRST_ROWS,
  rowWidth,
  storeBytes,
  storeInteger,
  storeNull,
  storeOf,
  storeSmallDecimal,
  storeText,
  storeWords,
  type RawVector,
} from '../wire/buffers.ts';
import type { BatchLimits } from '../wire/decoder.ts';
import { growHeap, storeBase64, storeInstant } from '../wire/values.ts';
import {
  dateSeconds,
  datetimeSeconds,
  decimalBytes,
  decimalGroups,
  fractionMicros,
  oldDatetimeSeconds,
  storePackedDecimal,
} from './values.ts';

/** Turns row images of the log into column buffers. One batch at a time; `reset` starts the next in the same buffers. */
export interface RowDecoder {
  readonly rows: number;
  readonly bytes: number;
  /** True when the batch may not grow further. */
  readonly isFull: boolean;
  /** After a row that was left out: the column that does not fit its lake type; else -1. */
  readonly refusedColumn: number;
  /** Start and end of each key column in the image last appended or skipped; -1 for null. */
  readonly keys: Int32Array;
  /**
   * Appends the row whose image begins at `from`; answers where the image ends, or -1 when it reaches beyond `end`. A value that does
   * not fit sets `refusedColumn`, and the row is taken back.
   */
  append(bytes: Buffer, view: DataView, span: { from: number; end: number }): number;
  /** Answers where the image ends and notes the places of its key; -1 when it reaches beyond `end`. */
  skip(bytes: Buffer, view: DataView, span: { from: number; end: number }): number;
  /** Takes the last row back. */
  undo(): void;
  vectors(): ColumnVector[];
  vector(at: number): ColumnVector;
  reset(): void;
}

type Generated = Omit<RowDecoder, 'vectors' | 'vector'> & { readonly raw: readonly (() => RawVector)[] };
type Build = (limits: BatchLimits, tools: typeof TOOLS, texts: readonly LogTarget['text'][]) => Generated;

const TOOLS = {
  dateSeconds,
  datetimeSeconds,
  fractionMicros,
  growHeap,
  oldDatetimeSeconds,
  storeBase64,
  storeInstant,
  storePackedDecimal,
};

const GROUP = 16;
const REMEMBERED_SHAPES = 64;
const builds = new Map<string, Build>();

/**
 * Compiles the decoder of a table's row images. `targets` are the lake columns; one that no log column fills is null in every row.
 * The source text is put together from type codes and positions only.
 */
export function createRowDecoder(
  columns: readonly LogColumn[],
  targets: readonly Column[],
  limits: BatchLimits,
): RowDecoder {
  const key = [
    ...columns.map(({ type, detail, isKey, target }) =>
      [type, detail, Number(isKey), target?.at, target?.read, target?.unsigned].join(':'),
    ),
    ...targets.map(({ type }) => JSON.stringify(type)),
  ].join(' ');
  let build = builds.get(key);
  if (!build) {
    if (builds.size >= REMEMBERED_SHAPES) builds.delete(builds.keys().next().value ?? '');
    // oxlint-disable-next-line typescript/no-implied-eval
    build = new Function('limits', 'tools', 'texts', sourceOf(columns, targets)) as Build;
    builds.set(key, build);
  }
  const rows = Math.max(
    1,
    Math.min(limits.rows, Math.floor(limits.bytes / rowWidth(targets.map(({ type }) => storeOf(type))))),
  );
  const texts = targets.map((_, at) => columns.find(({ target }) => target?.at === at)?.target?.text);
  const decoder = build({ rows, bytes: limits.bytes }, TOOLS, texts);
  const vector = (at: number): ColumnVector => ({
    column: targets[at] as Column,
    ...(decoder.raw[at] as () => RawVector)(),
  });
  return Object.assign(decoder, { vector, vectors: () => targets.map((_, at) => vector(at)) });
}

/** Bytes of a value as an expression over `p`, where it is known without looking; undefined = a length stands before it. */
function fixedLength({ type, detail }: Pick<LogColumn, 'type' | 'detail'>): number | undefined {
  switch (type) {
    case TYPE.tiny:
    case TYPE.year:
      return 1;
    case TYPE.short:
      return 2;
    case TYPE.int24:
    case TYPE.date:
    case TYPE.time:
      return 3;
    case TYPE.long:
    case TYPE.float:
    case TYPE.timestamp:
      return 4;
    case TYPE.longlong:
    case TYPE.double:
    case TYPE.datetime:
      return 8;
    case TYPE.timestamp2:
      return 4 + ((detail + 1) >> 1);
    case TYPE.datetime2:
      return 5 + ((detail + 1) >> 1);
    case TYPE.time2:
      return 3 + ((detail + 1) >> 1);
    case TYPE.decimal:
      return decimalBytes({ precision: detail >> 8, scale: detail & 255 });
    case TYPE.enum:
    case TYPE.set:
    case TYPE.bit:
      return detail;
    default:
      return undefined;
  }
}

const LENGTHS = ['', 'l=u8[p];', 'l=u8[p]|u8[p+1]<<8;', 'l=u8[p]|u8[p+1]<<8|u8[p+2]<<16;', 'l=dv.getUint32(p,true);'];

/** Statements that set `l` to the length of the value at `p` and move `p` to its first byte. */
function lengthCode(column: LogColumn): string {
  const fixed = fixedLength(column);
  if (fixed !== undefined) return `l=${fixed};`;
  const { type, detail } = column;
  const isString = type === TYPE.varchar || type === TYPE.varString || type === TYPE.string;
  const bytes = isString ? (detail > 255 ? 2 : 1) : detail;
  if (bytes < 1 || bytes > 4) throw new TypeError(`a value of type ${type} cannot be read from the log`);
  return `${LENGTHS[bytes]}p+=${bytes};`;
}

function readCode(column: LogColumn, { at: i, read, unsigned, column: { type } }: LogTarget): string {
  const store = storeOf(type);
  switch (read) {
    case 'integer':
      return integerCode(column, i, { unsigned, store });
    case 'year':
      return `{const y=u8[p];const v=y===0?0:y+1900;${storeInteger(i, store, { low: 0, high: 2155 })}}`;
    case 'bits':
      return (
        `{let x=0,w=0;for(let j=0;j<l;j++){if(l-j>4)w=(w<<8)|u8[p+j];else x=(x<<8)|u8[p+j];}` +
        `${storeWords(i, store, { low: 'x', high: 'w', unsigned: true })}}`
      );
    case 'float':
      return `a${i}[m${i}]=dv.getFloat32(p,true);`;
    case 'double':
      return `a${i}[m${i}]=dv.getFloat64(p,true);`;
    case 'decimal':
      return decimalCode(column, i, store);
    case 'instant':
      return instantCode(column, i);
    case 'copy':
      return storeText(i, 'p', 'l');
    case 'base64':
      return storeBytes(i, 'p', 'l');
    case 'wkb':
      return `{const w0=Math.max(0,l-4);${storeBytes(i, '(p+4)', 'w0')}}`;
    default:
      return (
        `{const t=texts[${i}](u8.subarray(p,p+l));const n=t.length;if(o${i}+n>h${i}.length)h${i}=growHeap(h${i},o${i},n);` +
        `h${i}.set(t,o${i});o${i}+=n;bytes+=n;a${i}[m${i}+1]=o${i};}`
      );
  }
}

type StoreOf = ReturnType<typeof storeOf>;

function integerCode({ type }: LogColumn, i: number, as: { unsigned: boolean; store: StoreOf }): string {
  const { unsigned, store } = as;
  const value = (text: string, bits: number): string => {
    const range = unsigned ? { low: 0, high: 2 ** bits - 1 } : { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 };
    return `{const v=${text};${storeInteger(i, store, range)}}`;
  };
  switch (type) {
    case TYPE.tiny:
      return value(unsigned ? 'u8[p]' : 'dv.getInt8(p)', 8);
    case TYPE.short:
      return value(unsigned ? 'dv.getUint16(p,true)' : 'dv.getInt16(p,true)', 16);
    case TYPE.int24: {
      const raw = '(u8[p]|u8[p+1]<<8|u8[p+2]<<16)';
      return value(unsigned ? raw : `${raw}<<8>>8`, 24);
    }
    case TYPE.long:
      return value(unsigned ? 'dv.getUint32(p,true)' : 'dv.getInt32(p,true)', 32);
    default:
      return storeWords(i, store, { low: 'dv.getInt32(p,true)', high: 'dv.getInt32(p+4,true)', unsigned });
  }
}

/** Up to 15 digits are summed up as a double, exactly; the bytes of a negative number are inverted. */
function decimalCode({ detail }: LogColumn, i: number, store: StoreOf): string {
  const layout = { precision: detail >> 8, scale: detail & 255 };
  const shift = store.scale - layout.scale;
  if (store.precision > 15) {
    const lanes = store.kind === 'decimal2' ? 2 : 4;
    const target = `{out:a${i},index:${lanes}*m${i},lanes:${lanes},shift:${shift},precision:${layout.precision},scale:${layout.scale}}`;
    return `storePackedDecimal(u8,p,${target});`;
  }
  let at = 0;
  const sums = decimalGroups(layout).map(({ digits, bytes }) => {
    let group = '';
    for (let byte = 0; byte < bytes; byte++, at++) {
      const one = `(u8[p+${at}]^${at === 0 ? '(g^128)' : 'g'})`;
      group = group === '' ? one : `(${group}*256+${one})`;
    }
    return `v=v*${10 ** digits}+${group};`;
  });
  const scaled = shift > 0 ? `v*=${10 ** shift};` : '';
  return `{const g=u8[p]&128?0:255;let v=0;${sums.join('')}${scaled}if(g!==0)v=-v;${storeSmallDecimal(i, store)}}`;
}

function instantCode({ type, detail }: LogColumn, i: number): string {
  const seconds: Readonly<Record<number, string>> = {
    [TYPE.timestamp]: 'dv.getUint32(p,true)',
    [TYPE.timestamp2]: 'dv.getUint32(p)',
    [TYPE.datetime]: 'oldDatetimeSeconds(dv,p)',
    [TYPE.datetime2]: 'datetimeSeconds(u8,p)',
    [TYPE.date]: 'dateSeconds(u8,p)',
  };
  const head = type === TYPE.timestamp2 ? 4 : 5;
  const hasFraction = (type === TYPE.timestamp2 || type === TYPE.datetime2) && detail > 0;
  const fraction = hasFraction ? `fractionMicros(u8,p+${head},${detail})` : '0';
  return `{let s=${seconds[type]};if(s!==s){bad=${i + 1};s=0;}storeInstant(s,${fraction},{out:a${i},index:2*m${i}});}`;
}

interface ImageCode {
  readonly append: string[];
  readonly skip: string[];
  readonly keys: number;
}

/** Bodies of the functions that append and skip the columns of an image, a group of columns each. */
function imageCode(columns: readonly LogColumn[]): ImageCode {
  const keyAt = new Map(columns.flatMap(({ isKey }, at) => (isKey ? [at] : [])).map((at, key) => [at, key]));
  const groups = (write: (column: LogColumn, at: number) => string): string[] =>
    Array.from({ length: Math.ceil(columns.length / GROUP) }, (_, g) =>
      columns
        .slice(g * GROUP, (g + 1) * GROUP)
        .map((column, index) => write(column, g * GROUP + index))
        .join('\n'),
    );
  const isNull = (at: number): string => `u8[nulls+${at >> 3}]&${1 << (at & 7)}`;
  const fits = 'if(p+l>end)return -1;';
  const keyCode = (at: number): readonly [start: string, stop: string, none: string] => {
    const key = keyAt.get(at);
    if (key === undefined) return ['', '', ''];
    return [`keys[${2 * key}]=p;`, `keys[${2 * key + 1}]=p;`, `keys[${2 * key}]=keys[${2 * key + 1}]=-1;`];
  };
  const append = groups((column, at) => {
    const { target } = column;
    const [start, stop, none] = keyCode(at);
    const store = target ? `${readCode(column, target)}m${target.at}++;` : '';
    const read = `${start}${lengthCode(column)}${fits}${store}p+=l;${stop}`;
    return `if(!(${isNull(at)})){${read}}else{${target ? storeNull(target.at) : ''}${none}}`;
  });
  const skip = groups((column, at) => {
    const [start, stop, none] = keyCode(at);
    return `if(!(${isNull(at)})){${start}${lengthCode(column)}${fits}p+=l;${stop}}else{${none}}`;
  });
  return { append, skip, keys: keyAt.size };
}

function sourceOf(columns: readonly LogColumn[], targets: readonly Column[]): string {
  const buffers = bufferCode(targets.map(({ type }) => storeOf(type)));
  const filled = new Set(columns.map(({ target }) => target?.at));
  const missing = targets.map((_, at) => (filled.has(at) ? '' : storeNull(at))).join('');
  const { append, skip, keys } = imageCode(columns);
  const define = (name: string, bodies: string[]): string =>
    bodies.map((body, g) => `function ${name}${g}(u8,dv,p,nulls,end){let l=0;\n${body}\nreturn p;}`).join('\n');
  const call = (name: string, bodies: string[]): string =>
    bodies.map((_, g) => `if(p>=0)p=${name}${g}(u8,dv,p,nulls,end);`).join('');
  return `"use strict";
const {dateSeconds,datetimeSeconds,fractionMicros,growHeap,oldDatetimeSeconds,storeBase64,storeInstant,storePackedDecimal}=tools;
const maxRows=limits.rows,maxBytes=limits.bytes,keys=new Int32Array(${2 * keys});
let cap=Math.min(${FIRST_ROWS},maxRows),r=0,bytes=0,bad=0;
${buffers.declare}
${define('append', append)}
${define('skip', skip)}
function grow(){cap=Math.min(cap*4,maxRows);
${buffers.grow}
}
function takeBack(){
${buffers.takeBack}
}
function append(u8,dv,span){const nulls=span.from,end=span.end;let p=nulls+${(columns.length + 7) >> 3};
if(r>=cap)grow();
bad=0;
${call('append', append)}
if(p<0)return -1;
${missing}
bytes+=p-nulls;
if(bad!==0)takeBack();else r++;
return p;}
function skip(u8,dv,span){const nulls=span.from,end=span.end;let p=nulls+${(columns.length + 7) >> 3};
${call('skip', skip)}
return p;}
return {append,skip,keys,
undo(){r--;takeBack();},
get rows(){return r;},get bytes(){return bytes;},
get isFull(){return r>=maxRows||(r>0&&bytes>=maxBytes);},
get refusedColumn(){return bad-1;},
raw:${buffers.raw},
reset(){
${buffers.reset}
r=0;bytes=0;}};`;
}
