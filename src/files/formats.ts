export type Format = 'csv' | 'json' | 'parquet';
export type Compression = 'none' | 'gzip' | 'zip' | 'zstd';

const FORMATS: Readonly<Record<string, Format>> = {
  csv: 'csv',
  tsv: 'csv',
  tab: 'csv',
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
  parquet: 'parquet',
  pq: 'parquet',
};
const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', gzip: 'gzip', zip: 'zip', zst: 'zstd' };

/** The format that a name's ending tells, endings of compressions left aside; undefined when it tells none. */
export function formatOfName(name: string): Format | undefined {
  return FORMATS[withoutCompression(name).split('.').at(-1)?.toLowerCase() ?? ''];
}

/** True for names that promise one object per line. */
export function promisesLines(name: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(withoutCompression(name));
}

/** A file's name without the endings of format and compression; the last other ending goes where there is none of them. */
export function stemOf(name: string): string {
  const plain = withoutCompression(name);
  const known = formatOfName(name) !== undefined;
  const dot = plain.lastIndexOf('.');
  return dot > 0 && (known || plain === name) ? plain.slice(0, dot) : plain;
}

function withoutCompression(name: string): string {
  const dot = name.lastIndexOf('.');
  const ending = name.slice(dot + 1).toLowerCase();
  return dot > 0 && Object.hasOwn(COMPRESSIONS, ending) ? name.slice(0, dot) : name;
}

/** The compression that a file's first bytes show. */
export function compressionOfBytes(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4 ? 'zip' : 'none';
}
