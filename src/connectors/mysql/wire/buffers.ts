import type { ColumnType, ColumnVector } from '../../../columns/index.ts';

/**
 * Source text of column buffers for the generated decoders (of rows of a select, and of rows of the change log). Names,
 * each followed by the column's number: a = values, v = validity, m = values so far, z = nulls, h = heap, o = bytes in
 * the heap. `r` is the row, `cap` the rows that there is room for. No name of a source's object ever enters the text.
 */
export interface BufferCode {
  readonly declare: string;
  /** Statements of `grow()`: room for more rows. */
  readonly grow: string;
  /** Statements that take back row `r`, all columns of which were stored. */
  readonly takeBack: string;
  readonly reset: string;
  /** A list of functions that answer one vector each, as an expression. */
  readonly raw: string;
}

export type RawVector = Pick<ColumnVector, 'values' | 'heap' | 'validity' | 'nulls' | 'count'>;

export type StoreKind =
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'timestamp'
  | 'decimal1'
  | 'decimal2'
  | 'decimal4'
  | 'string';

/** Where the values of a column go. */
export interface Store {
  readonly kind: StoreKind;
  readonly precision: number;
  readonly scale: number;
}

interface StoreCode {
  readonly array: 'Int32Array' | 'Float32Array' | 'Float64Array';
  /** Elements of `array` that one value takes. */
  readonly lanes: number;
  readonly bytes: number;
}

const code = (array: StoreCode['array'], lanes: number): StoreCode => ({
  array,
  lanes,
  bytes: lanes * (array === 'Float64Array' ? 8 : 4),
});

const STORES: Readonly<Record<StoreKind, StoreCode>> = {
  int: code('Int32Array', 1),
  long: code('Int32Array', 2),
  float: code('Float32Array', 1),
  double: code('Float64Array', 1),
  timestamp: code('Int32Array', 2),
  decimal1: code('Int32Array', 1),
  decimal2: code('Int32Array', 2),
  decimal4: code('Int32Array', 4),
  string: code('Int32Array', 1),
};

export const FIRST_ROWS = 1024;
const FIRST_HEAP = 4096;

export function storeOf(type: ColumnType): Store {
  if (type.kind === 'decimal') {
    const kind = type.precision <= 9 ? 'decimal1' : type.precision <= 18 ? 'decimal2' : 'decimal4';
    return { kind, precision: type.precision, scale: type.scale };
  }
  if (type.kind === 'boolean') throw new TypeError('no type of this source becomes a boolean');
  return { kind: type.kind, precision: 0, scale: 0 };
}

/** Bytes of one row in the buffers, without what lies in heaps. */
export function rowWidth(stores: readonly Store[]): number {
  return stores.reduce((sum, { kind }) => sum + STORES[kind].bytes, 1);
}

export function bufferCode(stores: readonly Store[]): BufferCode {
  const each = (write: (i: number, store: StoreCode, heap: boolean) => string): string =>
    stores.map(({ kind }, i) => write(i, STORES[kind], kind === 'string')).join('\n');
  return {
    declare: `const widen=(a,n)=>{const b=new a.constructor(n);b.set(a);return b;};
const widenBits=(v,n)=>{const b=new Uint8Array((n>>3)+1).fill(255);b.set(v);return b;};
${each((i, store, heap) => `let a${i}=new ${store.array}(cap*${store.lanes}+1),v${i}=widenBits([],cap),m${i}=0,z${i}=0;${heap ? `let h${i}=new Uint8Array(${FIRST_HEAP}),o${i}=0;` : ''}`)}`,
    grow: each((i, store) => `a${i}=widen(a${i},cap*${store.lanes}+1);v${i}=widenBits(v${i},cap);`),
    takeBack: each(
      (i, _, heap) =>
        `if(v${i}[r>>3]&(1<<(r&7))){m${i}--;${heap ? `o${i}=a${i}[m${i}];` : ''}}else{z${i}--;v${i}[r>>3]|=1<<(r&7);}`,
    ),
    // Heaps that one batch of long values blew up are given back; the others are kept for the next batch.
    reset: `let held=0;${each((i, _, heap) => (heap ? `held+=h${i}.length;` : ''))}
const release=held>maxBytes*2;
${each((i, _, heap) => `if(z${i}>0){v${i}.fill(255);z${i}=0;}m${i}=0;${heap ? `o${i}=0;if(release)h${i}=new Uint8Array(${FIRST_HEAP});` : ''}`)}`,
    raw: `[${each((i, _, heap) => `()=>({values:a${i},heap:${heap ? `h${i}` : 'new Uint8Array(0)'},validity:v${i},nulls:z${i},count:m${i}}),`)}]`,
  };
}

/** Statement that makes row `r` of column `i` null. */
export const storeNull = (i: number): string => `z${i}++;v${i}[r>>3]&=~(1<<(r&7));`;

/** Statements that store the bytes `[from, from + n)` of `u8` as text; `n` and `from` are names or numbers. */
export const storeText = (i: number, from: string, n: string): string =>
  `if(o${i}+${n}>h${i}.length)h${i}=growHeap(h${i},o${i},${n});` +
  `if(${n}<32){for(let j=0;j<${n};j++)h${i}[o${i}+j]=u8[${from}+j];}` +
  `else h${i}.set(u8.subarray(${from},${from}+${n}),o${i});o${i}+=${n};a${i}[m${i}+1]=o${i};`;

/** Statements that store the bytes `[from, from + n)` of `u8` in base64. */
export const storeBytes = (i: number, from: string, n: string): string =>
  `{const w=4*Math.floor((${n}+2)/3);if(o${i}+w>h${i}.length)h${i}=growHeap(h${i},o${i},w);` +
  `storeBase64(u8,{from:${from},to:${from}+${n}},{heap:h${i},at:o${i}});bytes+=w-${n};o${i}+=w;a${i}[m${i}+1]=o${i};}`;

/**
 * Statements that store the integer `v` (a safe number between `low` and `high`) as an int, a long or a decimal without a
 * scale; out of range it marks the row as bad.
 */
export function storeInteger(i: number, { kind }: Store, range: { low: number; high: number }): string {
  switch (kind) {
    case 'int':
    case 'decimal1': {
      const fits = range.low >= -(2 ** 31) && range.high < 2 ** 31;
      return `${fits ? '' : `if(v<-2147483648||v>2147483647)bad=${i + 1};`}a${i}[m${i}]=v;`;
    }
    case 'decimal4':
      return `a${i}[4*m${i}]=v|0;a${i}[4*m${i}+1]=Math.floor(v/4294967296);a${i}[4*m${i}+2]=a${i}[4*m${i}+3]=v<0?-1:0;`;
    default:
      return `a${i}[2*m${i}]=v|0;a${i}[2*m${i}+1]=${range.low >= -(2 ** 31) && range.high < 2 ** 31 ? 'v<0?-1:0' : 'Math.floor(v/4294967296)'};`;
  }
}

/** Statements that store the 64-bit integer in the words `low` and `high` (signed numbers). */
export function storeWords(
  i: number,
  { kind }: Store,
  words: { low: string; high: string; unsigned: boolean },
): string {
  const { low, high, unsigned } = words;
  const load = `const w0=${low},w1=${high};`;
  switch (kind) {
    case 'int':
    case 'decimal1':
      return `{${load}if(w1!==${unsigned ? '0||w0<0' : '(w0>>31)'})bad=${i + 1};a${i}[m${i}]=w0;}`;
    case 'decimal4': {
      const sign = unsigned ? '0' : 'w1>>31';
      return `{${load}a${i}[4*m${i}]=w0;a${i}[4*m${i}+1]=w1;a${i}[4*m${i}+2]=a${i}[4*m${i}+3]=${sign};}`;
    }
    default:
      return `{${load}${unsigned ? `if(w1<0)bad=${i + 1};` : ''}a${i}[2*m${i}]=w0;a${i}[2*m${i}+1]=w1;}`;
  }
}

/** Statements that store the double `v`, an unscaled decimal of at most 15 digits. */
export function storeSmallDecimal(i: number, { kind }: Store): string {
  return kind === 'decimal1' ? `a${i}[m${i}]=v;` : `a${i}[2*m${i}]=v|0;a${i}[2*m${i}+1]=Math.floor(v/4294967296);`;
}
