import { DIGEST_NULL, DIGEST_SEPARATOR } from '../kit/index.ts';
import type { Digest, DigestBucket, StreamSelection } from '../kit/index.ts';
import type { Query, Relation } from './catalog.ts';
import { filterCondition, quoteRelation, where } from './select.ts';
import { chooseReadings, type ChosenColumn } from './selection.ts';
import { END_INSTANT, FIRST_INSTANT } from './wire/values.ts';

/** Before this version the seconds of an instant come as a double, which loses microseconds. */
const EXACT_SECONDS = 140_000;
const NULL = `pg_catalog.chr(${DIGEST_NULL.codePointAt(0)})`;
const SEPARATOR = `pg_catalog.chr(${DIGEST_SEPARATOR.codePointAt(0)})`;

/** The digest of the selection, computed by the server in one scan; only the sums leave it. See the kit's `Digest`. */
export async function digestRows(
  query: Query,
  relation: Relation,
  work: { readonly stream: StreamSelection; readonly buckets: number; readonly serverVersion: number },
): Promise<Digest> {
  const { stream, buckets, serverVersion } = work;
  const chosen = chooseReadings(relation, stream, () => undefined).filter(
    ({ reading }) => reading.type.kind !== 'timestamp' || serverVersion >= EXACT_SECONDS,
  );
  const byName = new Map(chosen.map((column) => [column.name, column]));
  const keyColumns = stream.primaryKey.flatMap((name) => byName.get(name) ?? []);
  const whole = firstDigits(joined(chosen), 15);
  const bucket = `${firstDigits(joined(keyColumns), 2)} % ${Math.trunc(buckets)}`;
  const found = await query(
    `select b, count(*), sum(n)::pg_catalog.text from (select ${bucket} as b, ${whole} as n
     from ${quoteRelation(relation)}${where([filterCondition(relation, stream.filter)])}) as rows group by b`,
  );
  const sums: DigestBucket[] = Array.from({ length: buckets }, () => ({ rows: 0, sum: '0' }));
  for (const [at, rows, sum] of found) sums[Number(at)] = { rows: Number(rows), sum: sum ?? '0' };
  return { buckets: sums, columns: chosen.map((column) => column.name) };
}

function joined(columns: readonly ChosenColumn[]): string {
  if (columns.length === 0) return "''";
  return columns.map((column) => `coalesce(${textOf(column)}, ${NULL})`).join(` || ${SEPARATOR} || `);
}

function firstDigits(text: string, digits: number): string {
  const hex = `pg_catalog.substr(pg_catalog.md5(pg_catalog.convert_to(${text}, 'UTF8')), 1, ${digits})`;
  return `('x' || ${hex})::pg_catalog.bit(${digits * 4})::pg_catalog.int8`;
}

/** The text of a value, null for null. `format` prints as the type itself does, blanks of a char(n) included. */
function textOf({ expression, reading }: ChosenColumn): string {
  const printed = (value: string): string =>
    `case when ${value} is null then null else pg_catalog.format('%s', ${value}) end`;
  switch (reading.type.kind) {
    case 'float':
    case 'double':
      return bitsOf(`(${expression})::pg_catalog.float8`);
    case 'timestamp':
      return instantOf(expression);
    case 'decimal': {
      const { precision, scale } = reading.type;
      return printed(`(${expression})::pg_catalog.numeric(${precision},${scale})`);
    }
    default:
      return printed(expression);
  }
}

function bitsOf(value: string): string {
  return `case when ${value} = 'NaN' then '7ff8000000000000' when ${value} = 0 then '0000000000000000'
    else pg_catalog.encode(pg_catalog.float8send(${value}), 'hex') end`;
}

/** Microseconds since 1970, clamped as the readers clamp. */
function instantOf(value: string): string {
  const micros = `(extract(epoch from ${value}) * 1000000)::pg_catalog.numeric(40,0)`;
  return `case when ${value} is null then null when ${value} = 'infinity' then '${END_INSTANT - 1n}' when ${value} = '-infinity' then '0'
    when ${micros} >= ${END_INSTANT} then '${END_INSTANT - 1n}' when ${micros} < ${FIRST_INSTANT} then '0'
    else pg_catalog.format('%s', ${micros}) end`;
}
