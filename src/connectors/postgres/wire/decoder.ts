import type { Column, ColumnVector } from '../../../columns/index.ts';
import type { WireKind } from '../types.ts';
import { shortNumeric, smallNumeric, wideNumeric } from './numeric.ts';
import { EPOCH_SHIFT, FAST_HIGH_WORDS, growHeap, storeClampedInstant, storeHex, storeUuid } from './values.ts';

/** One column of a binary `COPY`: how it arrives and the lake column that it fills. */
export interface WireColumn {
  readonly wire: WireKind;
  readonly column: Column;
}

export interface BatchLimits {
  readonly rows: number;
  readonly bytes: number;
}

/** Why `decode` stopped. */
export const STOP = {
  /** The rest is less than one message; `needed` tells its length when that is known (else 0). */
  more: 0,
  /** The batch is full; the message at the returned position starts the next one. */
  full: 1,
  /** A message that is not a row. */
  other: 2,
  /** A row was left out: column `refusedColumn` does not fit its lake type; its fields start at `refusedAt`. */
  refused: 3,
  /** The bytes are not what the server promised. */
  broken: 4,
} as const;

/** Turns `CopyData` messages into column buffers. One batch at a time; `reset` starts the next in the same buffers. */
export interface Decoder {
  readonly rows: number;
  /** Bytes of the rows of this batch, roughly what they take in memory. */
  readonly bytes: number;
  readonly stop: number;
  readonly needed: number;
  readonly refusedColumn: number;
  readonly refusedAt: number;
  /** Decodes messages in [from, end) and answers the position of the first that it did not consume. */
  decode(bytes: Uint8Array, view: DataView, span: { from: number; end: number }): number;
  vectors(): ColumnVector[];
  reset(): void;
}

/** Whether a stream header is still to come; shared by the decoders that take turns on one stream. */
export interface StreamHead {
  pending: boolean;
}

type Build = (limits: BatchLimits, head: StreamHead, tools: typeof TOOLS) => GeneratedDecoder;
type RawVector = Pick<ColumnVector, 'values' | 'heap' | 'validity' | 'nulls' | 'count'>;
type GeneratedDecoder = Omit<Decoder, 'vectors'> & { raw(): RawVector[] };

const TOOLS = { shortNumeric, smallNumeric, wideNumeric, storeClampedInstant, storeHex, storeUuid, growHeap };

const FIRST_ROWS = 1024;
const FIRST_HEAP = 4096;
/** Columns per generated function: long functions are not optimised by the engine. */
const GROUP = 16;
const REMEMBERED_SHAPES = 64;

const builds = new Map<string, Build>();

/**
 * Compiles the decoder of a row shape. The source text is put together from column kinds, scales and positions only;
 * no name of a source's object ever enters it.
 */
export function createDecoder(columns: readonly WireColumn[], limits: BatchLimits, head: StreamHead): Decoder {
  const shapes = columns.map(shapeOf);
  const key = shapes.map((shape) => `${shape.wire}:${shape.precision}:${shape.scale}`).join(' ');
  let build = builds.get(key);
  if (!build) {
    if (builds.size >= REMEMBERED_SHAPES) builds.delete(builds.keys().next().value ?? '');
    // oxlint-disable-next-line typescript/no-implied-eval
    build = new Function('limits', 'head', 'tools', sourceOf(shapes)) as Build;
    builds.set(key, build);
  }
  const rowBytes = shapes.reduce((sum, shape) => sum + KINDS[shape.kind].width(shape), 1);
  const rows = Math.max(1, Math.min(limits.rows, Math.floor(limits.bytes / rowBytes)));
  const decoder = build({ rows, bytes: limits.bytes }, head, TOOLS);
  const vectors = (): ColumnVector[] =>
    decoder.raw().map((raw, index) => ({ column: (columns[index] as WireColumn).column, ...raw }));
  return Object.assign(decoder, { vectors });
}

interface Shape {
  readonly wire: WireKind;
  readonly kind: keyof typeof KINDS;
  readonly precision: number;
  readonly scale: number;
}

function shapeOf({ wire, column }: WireColumn): Shape {
  const { type } = column;
  if (wire !== 'numeric') return { wire, kind: wire, precision: 0, scale: 0 };
  if (type.kind !== 'decimal') throw new TypeError('a numeric is read into a decimal');
  const kind = type.precision <= 9 ? 'decimal1' : type.precision <= 15 ? 'decimal2' : 'decimalWide';
  return { wire, kind, precision: type.precision, scale: type.scale };
}

interface KindCode {
  readonly array: 'Uint8Array' | 'Int32Array' | 'Float32Array' | 'Float64Array';
  /** Elements of `array` that one value takes. */
  readonly lanes: (shape: Shape) => number;
  readonly width: (shape: Shape) => number;
  readonly heap?: true;
  /**
   * Statements that read the value of column `i` at `p` (length `l`) into place `m` and move `p` behind it.
   * Names: a = values, m = values so far, h = heap, w = the heap as words, o = bytes in the heap, each followed by the column's number.
   */
  readonly read: (i: number, shape: Shape) => string;
}

const fixed = (array: KindCode['array'], lanes: number, read: KindCode['read']): KindCode => ({
  array,
  lanes: () => lanes,
  width: () => lanes * (array === 'Uint8Array' ? 1 : array === 'Float64Array' ? 8 : 4),
  read,
});

/** A text kind; `store` writes the value and the heap has room for `room` bytes. */
const textual = (room: string, store: (i: number) => string): KindCode => ({
  array: 'Int32Array',
  lanes: () => 1,
  width: () => 4,
  heap: true,
  read: (i) =>
    `const n=${room};if(o${i}+n>h${i}.length){h${i}=growHeap(h${i},o${i},n);w${i}=viewOf(h${i});}${store(i)}` +
    `o${i}+=n;a${i}[m${i}+1]=o${i};p+=l;`,
});

/** Short texts are copied word by word, which beats a call into the engine's copy. */
const copyText = (from: string) => (i: number) =>
  `if(n<64){let j=0;for(;j+4<=n;j+=4)w${i}.setInt32(o${i}+j,dv.getInt32(${from}+j,true),true);` +
  `for(;j<n;j++)h${i}[o${i}+j]=u8[${from}+j];}else h${i}.set(u8.subarray(${from},${from}+n),o${i});`;

const storeDouble = (i: number): string => `a${i}[2*m${i}]=v|0;a${i}[2*m${i}+1]=Math.floor(v/4294967296);`;

/** Most values of a decimal are short; -1 says of one that it is to be read with all care. */
const shortOf = ({ precision, scale }: Shape): string =>
  scale <= 4 && precision >= scale + 4 ? `shortNumeric(dv,p,${10 ** scale})` : '-1';
const smallOf = ({ scale }: Shape): string => `smallNumeric(dv,p,${scale})`;
const isWithin = ({ precision }: Shape): string => `v<${10 ** precision}&&v>-${10 ** precision}`;

const SHIFT_LOW = Number(EPOCH_SHIFT & 0xffffffffn);
const SHIFT_HIGH = Number(EPOCH_SHIFT >> 32n);
const LAST_DAY = 2_932_896;
const FIRST_DAY = -719_162;
const LAST_INSTANT_LANES = {
  low: Number(BigInt.asIntN(32, 253402300799999999n)),
  high: Number(253402300799999999n >> 32n),
};

const KINDS = {
  bool: fixed('Uint8Array', 1, (i) => `a${i}[m${i}]=u8[p];p+=1;`),
  int2: fixed('Int32Array', 1, (i) => `a${i}[m${i}]=dv.getInt16(p);p+=2;`),
  int4: fixed('Int32Array', 1, (i) => `a${i}[m${i}]=dv.getInt32(p);p+=4;`),
  int8: fixed('Int32Array', 2, (i) => `a${i}[2*m${i}+1]=dv.getInt32(p);a${i}[2*m${i}]=dv.getInt32(p+4);p+=8;`),
  float4: fixed('Float32Array', 1, (i) => `a${i}[m${i}]=dv.getFloat32(p);p+=4;`),
  float8: fixed('Float64Array', 1, (i) => `a${i}[m${i}]=dv.getFloat64(p);p+=8;`),
  timestamp: fixed(
    'Int32Array',
    2,
    (i) =>
      `const t=dv.getInt32(p);if(t>=${FAST_HIGH_WORDS.from}&&t<${FAST_HIGH_WORDS.to}){` +
      `const w=dv.getUint32(p+4)+${SHIFT_LOW};a${i}[2*m${i}]=w|0;` +
      `a${i}[2*m${i}+1]=t+${SHIFT_HIGH}+(w>=4294967296?1:0);}` +
      `else storeClampedInstant(dv,p,{out:a${i},index:2*m${i}});p+=8;`,
  ),
  // Days times microseconds of a day is a multiple of 2^13, hence exact in a double for all days of years 1 to 9999.
  date: fixed(
    'Int32Array',
    2,
    (i) =>
      `const d=dv.getInt32(p)+10957;if(d>${LAST_DAY}){a${i}[2*m${i}]=${LAST_INSTANT_LANES.low};` +
      `a${i}[2*m${i}+1]=${LAST_INSTANT_LANES.high};}else{const v=d<${FIRST_DAY}?0:d*86400000000;` +
      `const w=Math.floor(v/4294967296);a${i}[2*m${i}]=v-w*4294967296;a${i}[2*m${i}+1]=w;}p+=4;`,
  ),
  decimal1: fixed(
    'Int32Array',
    1,
    (i, shape) =>
      `const s=${shortOf(shape)};if(s>=0)a${i}[m${i}]=s;else{const v=${smallOf(shape)};` +
      `if(${isWithin(shape)})a${i}[m${i}]=v;else bad=${i + 1};}p+=l;`,
  ),
  decimal2: fixed(
    'Int32Array',
    2,
    (i, shape) =>
      `const s=${shortOf(shape)};if(s>=0){a${i}[2*m${i}]=s;a${i}[2*m${i}+1]=0;}else{const v=${smallOf(shape)};` +
      `if(${isWithin(shape)}){${storeDouble(i)}}else bad=${i + 1};}p+=l;`,
  ),
  decimalWide: {
    array: 'Int32Array',
    lanes: (shape: Shape) => (shape.precision <= 18 ? 2 : 4),
    width: (shape: Shape) => (shape.precision <= 18 ? 8 : 16),
    read: (i: number, { precision, scale }: Shape) => {
      const lanes = precision <= 18 ? 2 : 4;
      const target = `{out:a${i},index:${lanes}*m${i},precision:${precision},scale:${scale},lanes:${lanes}}`;
      return `if(!wideNumeric(dv,p,${target}))bad=${i + 1};p+=l;`;
    },
  },
  text: textual('l', copyText('p')),
  // The first byte is the version of the binary form.
  jsonb: textual('l-1', copyText('(p+1)')),
  uuid: textual('36', (i) => `storeUuid(u8,p,{heap:h${i},at:o${i}});`),
  bytea: textual('2+2*l', (i) => `storeHex(u8,{from:p,to:p+l},{heap:h${i},at:o${i}});bytes+=l;`),
} as const satisfies Record<string, KindCode>;

function sourceOf(shapes: readonly Shape[]): string {
  const groups: string[] = [];
  const undo: string[] = [];
  for (let start = 0; start < shapes.length; start += GROUP) {
    const members = shapes.slice(start, start + GROUP);
    groups.push(members.map((shape, index) => readColumn(start + index, shape)).join('\n'));
    undo.push(members.map((shape, index) => undoColumn(start + index, shape)).join('\n'));
  }
  const each = (write: (i: number, kind: KindCode, shape: Shape) => string): string =>
    shapes.map((shape, i) => write(i, KINDS[shape.kind], shape)).join('\n');
  return `"use strict";
const {shortNumeric,smallNumeric,wideNumeric,storeClampedInstant,storeHex,storeUuid,growHeap}=tools;
const maxRows=limits.rows,maxBytes=limits.bytes;
let cap=Math.min(${FIRST_ROWS},maxRows),r=0,bytes=0,bad=0,stop=0,needed=0,refusedAt=0;
const viewOf=(h)=>new DataView(h.buffer,h.byteOffset,h.length);
const widen=(a,n)=>{const b=new a.constructor(n);b.set(a);return b;};
const widenBits=(v,n)=>{const b=new Uint8Array((n>>3)+1).fill(255);b.set(v);return b;};
${each(declareColumn)}
${groups.map((body, g) => `function read${g}(u8,dv,p,r){let l=0;\n${body}\nreturn p;}`).join('\n')}
${undo.map((body, g) => `function undo${g}(dv,p,r){let l=0;\n${body}\nreturn p;}`).join('\n')}
function grow(){cap=Math.min(cap*4,maxRows);
${each((i, kind, shape) => `a${i}=widen(a${i},cap*${kind.lanes(shape)}+1);v${i}=widenBits(v${i},cap);`)}
}
function takeBack(dv,p){
${undo.map((_, g) => `p=undo${g}(dv,p,r);`).join('')}
}
${decodeLoop(shapes.length, groups.length)}
return {decode,
get rows(){return r;},get bytes(){return bytes;},get stop(){return stop;},get needed(){return needed;},
get refusedColumn(){return bad-1;},get refusedAt(){return refusedAt;},
raw(){return [${shapes.map((shape, i) => rawVector(i, KINDS[shape.kind])).join(',')}];},
reset(){
let held=0;
${each((i, kind) => (kind.heap ? `held+=h${i}.length;` : ''))}
const release=held>maxBytes*2;
${each((i, kind) => resetColumn(i, kind))}
r=0;bytes=0;}};`;
}

function declareColumn(i: number, kind: KindCode, shape: Shape): string {
  const heap = kind.heap ? `let h${i}=new Uint8Array(${FIRST_HEAP}),w${i}=viewOf(h${i}),o${i}=0;` : '';
  const values = `let a${i}=new ${kind.array}(cap*${kind.lanes(shape)}+1)`;
  return `${values},v${i}=widenBits([],cap),m${i}=0,z${i}=0;${heap}`;
}

function readColumn(i: number, shape: Shape): string {
  const read = KINDS[shape.kind].read(i, shape);
  return `l=dv.getInt32(p);p+=4;if(l<0){z${i}++;v${i}[r>>3]&=~(1<<(r&7));}else{${read}m${i}++;}`;
}

function undoColumn(i: number, shape: Shape): string {
  const heap = (KINDS[shape.kind] as KindCode).heap ? `o${i}=a${i}[m${i}];` : '';
  return `l=dv.getInt32(p);p+=4;if(l<0){z${i}--;v${i}[r>>3]|=1<<(r&7);}else{m${i}--;${heap}p+=l;}`;
}

function rawVector(i: number, kind: KindCode): string {
  return `{values:a${i},heap:${kind.heap ? `h${i}` : 'new Uint8Array(0)'},validity:v${i},nulls:z${i},count:m${i}}`;
}

/** Heaps that one batch of long values blew up are given back; the others are kept for the next batch. */
function resetColumn(i: number, kind: KindCode): string {
  const heap = kind.heap ? `o${i}=0;if(release){h${i}=new Uint8Array(${FIRST_HEAP});w${i}=viewOf(h${i});}` : '';
  return `if(z${i}>0){v${i}.fill(255);z${i}=0;}m${i}=0;${heap}`;
}

/** The first message begins with the header of the binary format (19 bytes and an extension); the last holds -1. */
function decodeLoop(fields: number, groups: number): string {
  const read = Array.from({ length: groups }, (_, g) => `q=read${g}(u8,dv,q,r);`).join('');
  return `function decode(u8,dv,span){let p=span.from;const end=span.end;
needed=0;
while(end-p>=5){
if(u8[p]!==100){stop=${STOP.other};return p;}
const n=dv.getUint32(p+1)+1;
if(end-p<n){needed=n;stop=${STOP.more};return p;}
if(r>=cap){if(cap>=maxRows){stop=${STOP.full};return p;}grow();}
if(r>0&&bytes+n>maxBytes){stop=${STOP.full};return p;}
const next=p+n;let q=p+5;
if(head.pending){q+=19+dv.getInt32(q+15);head.pending=false;if(q>=next){p=next;continue;}}
const f=dv.getInt16(q);q+=2;
if(f<0){p=next;continue;}
if(f!==${fields}){stop=${STOP.broken};return p;}
bad=0;
const start=q;
${read}
if(q!==next){stop=${STOP.broken};return p;}
if(bad!==0){takeBack(dv,start);refusedAt=start;stop=${STOP.refused};return next;}
r++;bytes+=n;p=next;
}
stop=${STOP.more};return p;}`;
}
