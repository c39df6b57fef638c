import type { Column, ColumnVector } from '../../../columns/index.ts';
import type { WireKind } from '../types.ts';
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
  type Store,
} from './buffers.ts';
import { FULL_PACKET } from './inbox.ts';
import type { ColumnDefinition } from './packets.ts';
import { daysOf, growHeap, storeBase64, storeDecimalText, storeInstant } from './values.ts';

/** One column of an answer: how it arrives and the lake column that it fills. */
export interface WireColumn {
  readonly wire: WireKind;
  readonly definition: ColumnDefinition;
  readonly column: Column;
}

export interface BatchLimits {
  readonly rows: number;
  readonly bytes: number;
}

/** Why `decode` stopped. */
export const STOP = {
  /** The rest is less than one packet; `needed` tells its length when that is known (else 0). */
  more: 0,
  /** The batch is full; the packet at the returned position starts the next one. */
  full: 1,
  /** A packet that is not a row: the end, or an error. */
  other: 2,
  /** A row was left out: column `refusedColumn` does not fit its lake type; its payload starts at `refusedAt`. */
  refused: 3,
  /** The bytes are not what the server promised. */
  broken: 4,
  /** The packet at the returned position is continued by others: put them together and call `decodeJoined`. */
  joined: 5,
  /** Of `decodeJoined`: the row is in the batch. */
  taken: 6,
} as const;

/** Turns rows of the binary protocol into column buffers. One batch at a time; `reset` starts the next in the same buffers. */
export interface Decoder {
  readonly rows: number;
  /** Bytes of the rows of this batch, roughly what they take in memory. */
  readonly bytes: number;
  readonly stop: number;
  readonly needed: number;
  readonly refusedColumn: number;
  readonly refusedAt: number;
  /** Decodes packets in [from, end) and answers the position of the first that it did not consume. */
  decode(bytes: Uint8Array, view: DataView, span: { from: number; end: number }): number;
  /** Decodes one row whose payload is [from, end); answers the reason: `taken`, `full`, `refused`, `broken`. */
  decodeJoined(bytes: Uint8Array, view: DataView, span: { from: number; end: number }): number;
  vectors(): ColumnVector[];
  reset(): void;
}

type Build = (limits: BatchLimits, tools: typeof TOOLS) => GeneratedDecoder;
type GeneratedDecoder = Omit<Decoder, 'vectors'> & { readonly raw: readonly (() => RawVector)[] };

const TOOLS = { daysOf, growHeap, storeBase64, storeDecimalText, storeInstant };

/** Columns per generated function: long functions are not optimised by the engine. */
const GROUP = 16;
const REMEMBERED_SHAPES = 64;

const builds = new Map<string, Build>();

/**
 * Compiles the decoder of a row shape. The source text is put together from column kinds, scales and positions only; no
 * name of a source's object ever enters it.
 */
export function createDecoder(columns: readonly WireColumn[], limits: BatchLimits): Decoder {
  const shapes = columns.map(shapeOf);
  const stores = shapes.map((shape) => shape.store);
  const key = shapes.map(({ read, store }) => `${read}:${store.kind}:${store.precision}:${store.scale}`).join(' ');
  let build = builds.get(key);
  if (!build) {
    if (builds.size >= REMEMBERED_SHAPES) builds.delete(builds.keys().next().value ?? '');
    // oxlint-disable-next-line typescript/no-implied-eval
    build = new Function('limits', 'tools', sourceOf(shapes)) as Build;
    builds.set(key, build);
  }
  const rows = Math.max(1, Math.min(limits.rows, Math.floor(limits.bytes / rowWidth(stores))));
  const decoder = build({ rows, bytes: limits.bytes }, TOOLS);
  const vectors = (): ColumnVector[] =>
    decoder.raw.map((raw, index) => ({ column: (columns[index] as WireColumn).column, ...raw() }));
  return Object.assign(decoder, { vectors });
}

type ReadKind = 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | Exclude<WireKind, 'integer'>;

interface Shape {
  readonly read: ReadKind;
  readonly store: Store;
}

/** Type codes of the protocol. */
const INTEGERS: Readonly<Record<number, readonly [signed: ReadKind, unsigned: ReadKind]>> = {
  1: ['i8', 'u8'],
  2: ['i16', 'u16'],
  3: ['i32', 'u32'],
  8: ['i64', 'u64'],
  // Of 24 bits, sent as 32.
  9: ['i32', 'i32'],
  // A year.
  13: ['u16', 'u16'],
};
const BYTE_STRINGS = [15, 16, 245, 247, 248, 249, 250, 251, 252, 253, 254, 255];
const CODES: Readonly<Record<Exclude<WireKind, 'integer'>, readonly number[]>> = {
  float: [4],
  double: [5],
  decimal: [0, 246],
  date: [7, 10, 12],
  text: [0, 6, 246, ...BYTE_STRINGS],
  bytes: BYTE_STRINGS,
  geometry: [...BYTE_STRINGS],
};

/** A null literal is of type 6. */
function shapeOf({ wire, definition, column }: WireColumn): Shape {
  const store = storeOf(column.type);
  if (definition.type === 6) return { read: 'text', store };
  if (wire === 'integer') {
    const kinds = INTEGERS[definition.type];
    if (kinds) return { read: kinds[definition.unsigned ? 1 : 0], store };
  } else if (CODES[wire].includes(definition.type)) {
    return { read: wire, store };
  }
  throw new TypeError(`the server sends column "${column.name}" as type ${definition.type}, not as ${wire}`);
}

const integerAt = (i: number, store: Store, number: { at: string; low: number; high: number }): string =>
  `{const v=${number.at};${storeInteger(i, store, number)}}`;
const wordsAt = (i: number, store: Store, unsigned: boolean): string =>
  `${storeWords(i, store, { low: 'dv.getInt32(p,true)', high: 'dv.getInt32(p+4,true)', unsigned })}p+=8;`;

/** Length-encoded: sets `l` and moves `p` behind the length. */
const LENGTH =
  'l=u8[p++];if(l>250){if(l===252){l=u8[p]|u8[p+1]<<8;p+=2;}else if(l===253){l=u8[p]|u8[p+1]<<8|u8[p+2]<<16;p+=3;}' +
  'else{l=dv.getUint32(p,true);p+=8;}}if(p+l>next)return -1;';

/** Statements that read the value of column `i` at `p` and move `p` behind it; a row that ends too early answers -1. */
const READS: Readonly<Record<ReadKind, (i: number, store: Store) => string>> = {
  i8: (i, store) => `${integerAt(i, store, { at: 'dv.getInt8(p)', low: -128, high: 127 })}p+=1;`,
  u8: (i, store) => `${integerAt(i, store, { at: 'u8[p]', low: 0, high: 255 })}p+=1;`,
  i16: (i, store) => `${integerAt(i, store, { at: 'dv.getInt16(p,true)', low: -32_768, high: 32_767 })}p+=2;`,
  u16: (i, store) => `${integerAt(i, store, { at: 'dv.getUint16(p,true)', low: 0, high: 65_535 })}p+=2;`,
  i32: (i, store) => `${integerAt(i, store, { at: 'dv.getInt32(p,true)', low: -(2 ** 31), high: 2 ** 31 - 1 })}p+=4;`,
  u32: (i, store) => `${integerAt(i, store, { at: 'dv.getUint32(p,true)', low: 0, high: 2 ** 32 - 1 })}p+=4;`,
  i64: (i, store) => wordsAt(i, store, false),
  u64: (i, store) => wordsAt(i, store, true),
  float: (i, store) => (store.kind === 'double' ? `a${i}[m${i}]=dv.getFloat32(p,true);p+=4;` : floatAt(i)),
  double: (i) => `a${i}[m${i}]=dv.getFloat64(p,true);p+=8;`,
  decimal: (i, store) => `${LENGTH}${decimalAt(i, store)}p+=l;`,
  // Length, year, month, day; hour, minute, second and microseconds when they are not zero. Nothing at all is a zero date.
  date: (i) =>
    `{const n=u8[p++];let s=0,f=0;if(n>=4){const y=u8[p]|u8[p+1]<<8;if(y>0){s=daysOf(y,u8[p+2],u8[p+3])*86400;` +
    `if(s!==s){bad=${i + 1};s=0;}else if(n>=7){s+=u8[p+4]*3600+u8[p+5]*60+u8[p+6];if(n===11)f=dv.getUint32(p+7,true);}}}` +
    `storeInstant(s,f,{out:a${i},index:2*m${i}});p+=n;}`,
  text: (i, store) => (store.kind === 'string' ? `${LENGTH}${storeText(i, 'p', 'l')}p+=l;` : 'return -1;'),
  bytes: (i) => `${LENGTH}${storeBytes(i, 'p', 'l')}p+=l;`,
  geometry: (i) => `${LENGTH}if(l<4)return -1;p+=4;l-=4;${storeBytes(i, 'p', 'l')}p+=l;`,
};

const floatAt = (i: number): string => `a${i}[m${i}]=dv.getFloat32(p,true);p+=4;`;

/** Up to 15 digits are summed up as a double, exactly. */
function decimalAt(i: number, store: Store): string {
  const { precision, scale } = store;
  if (precision <= 15) {
    return (
      `{let v=0,g=p,d=-1;const e=p+l,neg=u8[g]===45;if(neg)g++;` +
      `for(;g<e;g++){const c=u8[g];if(c===46)d=0;else{v=v*10+(c-48);if(d>=0)d++;}}` +
      `if(d<0)d=0;while(d<${scale}){v*=10;d++;}if(d!==${scale}||!(v<${10 ** precision}))bad=${i + 1};if(neg)v=-v;` +
      `${storeSmallDecimal(i, store)}}`
    );
  }
  const lanes = store.kind === 'decimal2' ? 2 : 4;
  const target = `{out:a${i},index:${lanes}*m${i},precision:${precision},scale:${scale},lanes:${lanes}}`;
  return `if(!storeDecimalText(u8,{from:p,to:p+l},${target}))bad=${i + 1};`;
}

function sourceOf(shapes: readonly Shape[]): string {
  const groups: string[] = [];
  for (let start = 0; start < shapes.length; start += GROUP) {
    const members = shapes.slice(start, start + GROUP);
    groups.push(members.map((shape, index) => readColumn(start + index, shape)).join('\n'));
  }
  const buffers = bufferCode(shapes.map((shape) => shape.store));
  return `"use strict";
const {daysOf,growHeap,storeBase64,storeDecimalText,storeInstant}=tools;
const maxRows=limits.rows,maxBytes=limits.bytes;
let cap=Math.min(${FIRST_ROWS},maxRows),r=0,bytes=0,bad=0,stop=0,needed=0,refusedAt=0;
${buffers.declare}
${groups.map((body, g) => `function read${g}(u8,dv,p,nulls,next){let l=0;\n${body}\nreturn p;}`).join('\n')}
function grow(){cap=Math.min(cap*4,maxRows);
${buffers.grow}
}
function takeBack(){
${buffers.takeBack}
}
${rowFunction(shapes.length, groups.length)}
${DECODE_LOOP}
return {decode,decodeJoined,
get rows(){return r;},get bytes(){return bytes;},get stop(){return stop;},get needed(){return needed;},
get refusedColumn(){return bad-1;},get refusedAt(){return refusedAt;},
raw:${buffers.raw},
reset(){
${buffers.reset}
r=0;bytes=0;}};`;
}

/** Null bits of a row of an answer begin at the third. */
function readColumn(i: number, { read, store }: Shape): string {
  return `if(u8[nulls+${(i + 2) >> 3}]&${1 << ((i + 2) & 7)}){${storeNull(i)}}else{${READS[read](i, store)}m${i}++;}`;
}

/** Row in [from, next): answers a reason to stop, or -1 to go on. */
function rowFunction(columns: number, groups: number): string {
  const read = Array.from({ length: groups }, (_, g) => `if(q>=0)q=read${g}(u8,dv,q,nulls,next);`).join('');
  return `function row(u8,dv,from,next){
const n=next-from;
if(r>=cap){if(cap>=maxRows)return ${STOP.full};grow();}
if(r>0&&bytes+n>maxBytes)return ${STOP.full};
const nulls=from+1;
bad=0;
let q=nulls+${(columns + 9) >> 3};
${read}
if(q!==next)return ${STOP.broken};
if(bad!==0){takeBack();refusedAt=from;return ${STOP.refused};}
r++;bytes+=n;
return -1;}`;
}

const DECODE_LOOP = `function decode(u8,dv,span){let p=span.from;const end=span.end;
needed=0;
while(end-p>=5){
const n=u8[p]|u8[p+1]<<8|u8[p+2]<<16;
if(n===${FULL_PACKET}&&u8[p+4]===0){stop=${STOP.joined};return p;}
const next=p+4+n;
if(next>end){needed=4+n;stop=${STOP.more};return p;}
if(u8[p+4]!==0){stop=${STOP.other};return p;}
const why=row(u8,dv,p+4,next);
if(why>=0){stop=why;return why===${STOP.refused}?next:p;}
p=next;
}
stop=${STOP.more};return p;}
function decodeJoined(u8,dv,span){
if(u8[span.from]!==0)return stop=${STOP.broken};
const why=row(u8,dv,span.from,span.end);
return stop=why>=0?why:${STOP.taken};}`;
