import { Failure } from '../../errors.ts';
import { DIGEST_NULL, DIGEST_SEPARATOR } from '../kit/index.ts';
import type { Digest, DigestBucket, StreamSelection } from '../kit/index.ts';
import type { Query, Relation } from './catalog.ts';
import { quoteName } from './quote.ts';
import { filterCondition, quoteRelation, where } from './select.ts';
import { chooseReadings, type ChosenColumn } from './selection.ts';

const NULL = `char(${DIGEST_NULL.codePointAt(0)} using utf8mb4)`;
const SEPARATOR = `char(${DIGEST_SEPARATOR.codePointAt(0)} using utf8mb4)`;

/**
 * The digest of the selection, computed by the server in one scan; only the sums leave it. See the kit's `Digest`. Left
 * out are floats, whose bits the server does not tell. `value_refused` when a row is longer than the server can sum up.
 */
export async function digestRows(
  query: Query,
  relation: Relation,
  { stream, buckets }: { readonly stream: StreamSelection; readonly buckets: number },
): Promise<Digest> {
  const chosen = chooseReadings(relation, stream, () => undefined).filter(
    ({ reading }) => reading.type.kind !== 'float' && reading.type.kind !== 'double',
  );
  const byName = new Map(chosen.map((column) => [column.name, column]));
  const keyColumns = stream.primaryKey.flatMap((name) => byName.get(name) ?? []);
  const bucket = `${firstDigits(joined(keyColumns), 2)} % ${Math.trunc(buckets)}`;
  const found = await query(
    `select b, count(*), cast(sum(n) as char), count(n)
     from (select ${bucket} as b, ${firstDigits(joined(chosen), 15)} as n
       from ${quoteRelation(relation)}${where([filterCondition(relation, stream.filter)])}) as summed group by b`,
  );
  const sums: DigestBucket[] = Array.from({ length: buckets }, () => ({ rows: 0, sum: '0' }));
  for (const [at, rows, sum, summed] of found) {
    if (at === null || summed !== rows) throw tooLongFailure(relation);
    sums[Number(at)] = { rows: Number(rows), sum: sum ?? '0' };
  }
  return { buckets: sums, columns: chosen.map((column) => column.name) };
}

/** The server makes null of a text that is too long for it, and we never do: `if` keeps such a null, which is counted. */
function joined(columns: readonly ChosenColumn[]): string {
  if (columns.length === 0) return "''";
  const texts = columns.map((column) => `if(${column.expression} is null, ${NULL}, ${textOf(column)})`);
  return `concat(${texts.join(`, ${SEPARATOR}, `)})`;
}

function firstDigits(text: string, digits: number): string {
  return `cast(conv(left(md5(${text}), ${digits}), 16, 10) as unsigned)`;
}

/** The text of a value that is not null, in UTF-8. */
function textOf({ name, expression, reading }: ChosenColumn): string {
  switch (reading.type.kind) {
    case 'int':
    case 'long':
      // What fills up with zeros does so no more after an addition.
      return `convert(${expression} + 0 using utf8mb4)`;
    case 'decimal': {
      const { precision, scale } = reading.type;
      return `convert(cast(${expression} as decimal(${precision},${scale})) using utf8mb4)`;
    }
    case 'timestamp':
      // Before year 1 lie only zero dates, which the readers take for 1970.
      return `convert(if(year(${expression}) = 0, 0, timestampdiff(microsecond, timestamp'1970-01-01 00:00:00', ${expression})) using utf8mb4)`;
    default:
      break;
  }
  const isBinary = reading.wire === 'bytes' || reading.wire === 'geometry';
  return `convert(${isBinary ? reading.printed(quoteName(name)) : expression} using utf8mb4)`;
}

function tooLongFailure({ namespace, name }: Relation): Failure {
  return new Failure(
    'value_refused',
    `the server cannot sum up "${namespace}.${name}": a row of it is longer than max_allowed_packet, or holds a day that no calendar has; set global max_allowed_packet higher, or deselect the column`,
  );
}
