import type { ColumnVector } from '../../columns/index.ts';
import { readValue, timestampText } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { PartitionValue } from './model.ts';
import { exactInteger } from './exact.ts';
import { murmur3 } from './murmur.ts';
import { bigEndianBytes, readBigEndian } from './single-value.ts';

export type TimeTransform = 'year' | 'month' | 'day' | 'hour';

export type Transform =
  | { readonly kind: 'identity' | 'void' | TimeTransform }
  | { readonly kind: 'bucket' | 'truncate'; readonly width: number };

/** Reads a transform word such as `day` or `bucket[16]`; `configuration_invalid` when there is no such transform. */
export function parseTransform(word: string): Transform {
  const sized = /^(bucket|truncate)\s*\[\s*(\d+)\s*\]$/i.exec(word);
  if (sized) {
    const width = Number(sized[2]);
    if (width >= 1 && width <= 0x7fff_ffff) return { kind: sized[1]!.toLowerCase() as 'bucket', width };
  }
  const plain = ['identity', 'year', 'month', 'day', 'hour', 'void'] as const;
  const kind = plain.find((candidate) => candidate === word.toLowerCase());
  if (kind) return { kind };
  throw new Failure('configuration_invalid', `"${word}" is no partition transform.`, {
    advice: 'Use identity, year, month, day, hour, bucket[N], truncate[N] or void.',
  });
}

/** The transform as metadata spells it. */
export function transformWord(transform: Transform): string {
  return 'width' in transform ? `${transform.kind}[${transform.width}]` : transform.kind;
}

const bucketable = /^(int|long|string|timestamptz|decimal.*)$/;
const truncatable = /^(int|long|string|decimal.*)$/;

/** Iceberg type of the transform's values; `configuration_invalid` when it does not take the source type. */
export function transformedType(transform: Transform, source: string): string {
  const refuse = (): Failure =>
    new Failure('configuration_invalid', `The partition transform ${transformWord(transform)} takes no ${source}.`);
  switch (transform.kind) {
    case 'identity':
    case 'void':
      return source;
    case 'bucket':
      if (!bucketable.test(source)) throw refuse();
      return 'int';
    case 'truncate':
      if (!truncatable.test(source)) throw refuse();
      return source;
    default:
      if (source !== 'timestamptz') throw refuse();
      return transform.kind === 'day' ? 'date' : 'int';
  }
}

/** A transformed value before it is stored: something that a Map can be keyed by. */
export type TransformedValue = boolean | number | bigint | string;

/** The transform of one vector, as a function of the dense index of a value. */
export function bindTransform(transform: Transform, vector: ColumnVector): (dense: number) => TransformedValue | null {
  const { kind } = transform;
  if (kind === 'void') return () => null;
  if (kind === 'identity') return (dense) => identityOf(readValue(vector, dense));
  if (kind === 'bucket') return bindBucket(vector, transform.width);
  if (kind === 'truncate') return (dense) => truncate(readValue(vector, dense), transform.width);
  const of = timeFunctions[kind];
  return (dense) => of(microsAt(vector, vector.constant ? 0 : dense));
}

/** Negative zero and the many NaNs are one partition each. */
function identityOf(value: TransformedValue): TransformedValue {
  return value === 0 ? 0 : value;
}

const MICROS_PER_HOUR = 3_600_000_000;
const MICROS_PER_DAY = 24 * MICROS_PER_HOUR;

const timeFunctions: Record<TimeTransform, (micros: number | bigint) => number> = {
  year: (micros) => utcDate(micros).getUTCFullYear() - 1970,
  month: (micros) => {
    const date = utcDate(micros);
    return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
  },
  day: (micros) => floorDivide(micros, MICROS_PER_DAY),
  hour: (micros) => floorDivide(micros, MICROS_PER_HOUR),
};

function utcDate(micros: number | bigint): Date {
  return new Date(floorDivide(micros, MICROS_PER_DAY) * 86_400_000);
}

function floorDivide(value: number | bigint, divisor: number): number {
  if (typeof value === 'number') return Math.floor(value / divisor);
  const by = BigInt(divisor);
  const quotient = value / by;
  return Number(value % by < 0n ? quotient - 1n : quotient);
}

/** A double while that is exact, which it is for a few centuries around 1970. */
function microsAt(vector: ColumnVector, dense: number): number | bigint {
  const lanes = vector.values as Int32Array;
  const high = lanes[dense * 2 + 1]!;
  if (high < -0x20_0000 || high >= 0x20_0000) return readValue(vector, dense) as bigint;
  return high * 0x1_0000_0000 + (lanes[dense * 2]! >>> 0);
}

function bindBucket(vector: ColumnVector, count: number): (dense: number) => number {
  const bucket = (hash: number): number => (hash & 0x7fff_ffff) % count;
  if (vector.column.type.kind === 'string') {
    const offsets = vector.values;
    return (dense) => {
      const at = vector.constant ? 0 : dense;
      return bucket(murmur3(vector.heap, offsets[at]!, offsets[at + 1]!));
    };
  }
  const isDecimal = vector.column.type.kind === 'decimal';
  const word = Buffer.alloc(8);
  return (dense) => {
    const value = BigInt(readValue(vector, dense));
    if (isDecimal) {
      const bytes = bigEndianBytes(value);
      return bucket(murmur3(bytes, 0, bytes.length));
    }
    word.writeBigInt64LE(value);
    return bucket(murmur3(word, 0, 8));
  };
}

function truncate(value: TransformedValue, width: number): TransformedValue {
  if (typeof value === 'string') return Array.from(value).slice(0, width).join('');
  if (typeof value === 'number') return value - (((value % width) + width) % width);
  const wide = BigInt(value);
  const by = BigInt(width);
  return wide - (((wide % by) + by) % by);
}

/** The value as manifests store it. */
export function storePartitionValue(type: string, value: TransformedValue | null): PartitionValue {
  if (typeof value !== 'bigint') return value;
  return type.startsWith('decimal') ? bigEndianBytes(value) : exactInteger(value);
}

/** The value as folder names show it. Readers take partition values from manifests, never from these names. */
export function partitionText(transform: Transform, type: string, value: PartitionValue): string {
  if (value === null) return 'null';
  const { kind } = transform;
  if (kind === 'year') return String(1970 + Number(value)).padStart(4, '0');
  if (kind === 'month') return new Date(Date.UTC(1970, Number(value))).toISOString().slice(0, -17);
  if (kind === 'day') return new Date(Number(value) * 86_400_000).toISOString().slice(0, -14);
  if (kind === 'hour') return new Date(Number(value) * 3_600_000).toISOString().slice(0, -11).replace('T', '-');
  if (value instanceof Uint8Array) return decimalWord(type, readBigEndian(value));
  return type === 'timestamptz' ? timestampText(BigInt(value)).replace('Z', '+00:00') : String(value);
}

function decimalWord(type: string, unscaled: bigint): string {
  const scale = Number(/,\s*(\d+)\)/.exec(type)?.[1] ?? 0);
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${whole}` : whole;
}
