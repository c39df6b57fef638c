import { DuckDBTypeId, JsonDuckDBValueConverter, type DuckDBResult } from '@duckdb/node-api';

type TakeRow = (columns: readonly string[], values: readonly unknown[]) => void;

const INTEGERS = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
]);

/**
 * Reads all rows, chunk by chunk. Values are JSON: integers that a JSON number holds exactly are numbers, larger ones
 * and decimals are text. Without `take` the rows are gathered.
 */
export async function readExactRows(
  result: DuckDBResult,
  take?: TakeRow,
): Promise<{ readonly rows: readonly (readonly unknown[])[] }> {
  const columns = result.deduplicatedColumnNames();
  const areIntegers = columns.map((_, at) => INTEGERS.has(result.columnTypeId(at)));
  const rows: unknown[][] = [];
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return { rows };
    for (const row of chunk.convertRows(JsonDuckDBValueConverter)) {
      const values = row.map((value, at) => (areIntegers[at] ? toInteger(value) : value));
      if (take) take(columns, values);
      else rows.push(values);
    }
  }
}

function toInteger(value: unknown): unknown {
  const number = Number(value);
  return value !== null && Number.isSafeInteger(number) ? number : value;
}
