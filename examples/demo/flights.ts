import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { once } from 'node:events';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/** Real data: the npm package `vega-datasets` (flights from the US Bureau of Transportation Statistics, and smaller sets). */
const data = join(import.meta.dirname, '..', '..', 'node_modules', 'vega-datasets', 'data');

export interface DemoTable {
  readonly name: string;
  readonly ddl: string;
  /** Columns that the csv brings, in order. */
  readonly columns: string;
  /** Writes the rows as csv to the given file. */
  writeCsv(file: string): Promise<void>;
}

/** Every table has a key and an `updated_at`, as tables of an application have; a sync can then find what changed. */
export const demoTables: readonly DemoTable[] = [
  {
    name: 'flights',
    ddl: `id bigint primary key, departed_at timestamp not null, delay_minutes integer, distance_miles integer,
          origin text not null, destination text not null, updated_at timestamptz not null`,
    columns: 'id, departed_at, delay_minutes, distance_miles, origin, destination, updated_at',
    writeCsv: writeFlights,
  },
  {
    name: 'airports',
    ddl: `iata text primary key, name text, city text, state text, country text, latitude numeric(12,8),
          longitude numeric(12,8), updated_at timestamptz not null default now()`,
    columns: 'iata, name, city, state, country, latitude, longitude',
    writeCsv: (file) => copyCsv('airports.csv', file),
  },
  {
    name: 'zipcodes',
    ddl: `zip_code text primary key, latitude numeric(9,6), longitude numeric(9,6), city text, state text, county text,
          updated_at timestamptz not null default now()`,
    columns: 'zip_code, latitude, longitude, city, state, county',
    writeCsv: (file) => copyCsv('zipcodes.csv', file),
  },
  {
    name: 'movies',
    ddl: `id integer primary key, title text, us_gross bigint, worldwide_gross bigint, imdb_rating double precision,
          details jsonb not null, updated_at timestamptz not null default now()`,
    columns: 'id, title, us_gross, worldwide_gross, imdb_rating, details',
    writeCsv: writeMovies,
  },
];

async function writeFlights(file: string): Promise<void> {
  const source = await asyncBufferFromFile(join(data, 'flights-3m.parquet'));
  const metadata = await parquetMetadataAsync(source);
  const out = createWriteStream(file);
  let first = 0;
  for (const group of metadata.row_groups) {
    const end = first + Number(group.num_rows);
    if (!out.write(await flightsAsCsv(source, first, end))) await once(out, 'drain');
    first = end;
  }
  out.end();
  await once(out, 'finish');
}

async function flightsAsCsv(
  file: Awaited<ReturnType<typeof asyncBufferFromFile>>,
  first: number,
  end: number,
): Promise<string> {
  const lines: string[] = [];
  await parquetRead({
    file,
    compressors,
    rowStart: first,
    rowEnd: end,
    onComplete: (rows) => {
      for (const [index, [date, delay, distance, origin, destination]] of (rows as unknown[][]).entries()) {
        const at = (date as Date).toISOString();
        lines.push(`${first + index + 1},${at.slice(0, 19)},${delay},${distance},${origin},${destination},${at}\n`);
      }
    },
  });
  return lines.join('');
}

async function copyCsv(name: string, file: string): Promise<void> {
  const text = await readFile(join(data, name), 'utf8');
  const out = createWriteStream(file);
  out.end(text.slice(text.indexOf('\n') + 1));
  await once(out, 'finish');
}

async function writeMovies(file: string): Promise<void> {
  const movies = JSON.parse(await readFile(join(data, 'movies.json'), 'utf8')) as Record<string, unknown>[];
  const out = createWriteStream(file);
  for (const [index, movie] of movies.entries()) {
    const cells = [
      index + 1,
      movie['Title'],
      movie['US Gross'],
      movie['Worldwide Gross'],
      movie['IMDB Rating'],
      JSON.stringify(movie),
    ];
    out.write(`${cells.map(csvCell).join(',')}\n`);
  }
  out.end();
  await once(out, 'finish');
}

function csvCell(value: unknown): string {
  return value === null || value === undefined ? '' : `"${String(value).replaceAll('"', '""')}"`;
}
