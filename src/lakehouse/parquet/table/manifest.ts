import type { Column, ColumnType } from '../../../columns/index.ts';
import { typeWord } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';
import type { TableName } from '../../catalog/port.ts';

/** One data file. `path` is relative to the table's folder: where the file lies once it is visible. */
export interface ManifestFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly run: string;
  /** Where it lies while it is staged; absent once a manifest lists it among the table's files. */
  readonly staged?: string;
}

export interface ManifestColumn {
  readonly id: number;
  readonly name: string;
  /** The type as one word, e.g. `decimal(10,2)`. */
  readonly type: string;
  readonly nullable: boolean;
}

/** The whole state of a table (`_manifest.json`): what it holds, and how far each stream that feeds it has come. */
export interface Manifest {
  readonly format: 1;
  readonly table: TableName;
  readonly sequence: number;
  /** Names the commit that wrote this manifest. */
  readonly commit: string;
  readonly committed_at: string;
  readonly schema: readonly ManifestColumn[];
  readonly files: readonly ManifestFile[];
  readonly checkpoints: Readonly<Record<string, unknown>>;
  /** Durable files that wait for their stream's publication, by checkpoint key. Never visible to a glob. */
  readonly staged: Readonly<Record<string, readonly ManifestFile[]>>;
  /** The opening that may commit for a checkpoint key; changes when an attempt clears away what another left. */
  readonly owners: Readonly<Record<string, string>>;
}

/** What a table is before its first commit. */
export function emptyManifest(table: TableName): Manifest {
  const { database } = table;
  return {
    format: 1,
    table: { database, table: table.table },
    sequence: 0,
    commit: '',
    committed_at: '',
    schema: [],
    files: [],
    checkpoints: {},
    staged: {},
    owners: {},
  };
}

/** Reads a manifest's bytes; refuses what this version does not understand instead of guessing. */
export function parseManifest(bytes: Uint8Array, path: string): Manifest {
  const parsed = readJson(bytes, path) as Partial<Manifest> & { table?: { database?: string; name?: string } };
  if (parsed.format !== 1 || typeof parsed.sequence !== 'number' || !Array.isArray(parsed.files)) {
    throw new Failure('storage_failed', `"${path}" is not a manifest that this version of Penstock understands.`);
  }
  const name = { database: parsed.table?.database ?? '', table: parsed.table?.name ?? '' };
  return { ...emptyManifest(name), ...parsed, table: name } as Manifest;
}

function readJson(bytes: Uint8Array, path: string): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch (cause) {
    throw new Failure('storage_failed', `"${path}" is not valid JSON.`, { cause });
  }
  throw new Failure('storage_failed', `"${path}" holds no JSON object.`);
}

/** The bytes of a manifest file; keys that hold nothing are left out. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  const { table, staged, owners, ...rest } = manifest;
  const body = {
    ...rest,
    table: { database: table.database, name: table.table },
    ...(Object.keys(staged).length > 0 ? { staged } : {}),
    ...(Object.keys(owners).length > 0 ? { owners } : {}),
  };
  return Buffer.from(JSON.stringify(body));
}

/**
 * The columns of a table after a stream brings `columns`: known ones keep id and place and take the wider type, new ones
 * follow, those the stream no longer has stay. Throws `value_refused` when a type can be neither.
 */
export function mergeSchema(schema: readonly ManifestColumn[], columns: readonly Column[]): ManifestColumn[] {
  const merged = new Map(schema.map((column) => [column.name, column]));
  let lastId = Math.max(0, ...schema.map((column) => column.id));
  for (const { name, type, nullable } of columns) {
    const known = merged.get(name);
    if (known === undefined) merged.set(name, { id: ++lastId, name, type: typeWord(type), nullable });
    else merged.set(name, { ...known, type: widerWord(known, type), nullable: known.nullable || nullable });
  }
  return [...merged.values()];
}

/** Field ids by column name: those the table has given, and new ones for new names. */
export function columnIds(schema: readonly ManifestColumn[], columns: readonly Column[]): ReadonlyMap<string, number> {
  const ids = new Map(schema.map((column) => [column.name, column.id]));
  let lastId = Math.max(0, ...ids.values());
  for (const { name } of columns) if (!ids.has(name)) ids.set(name, ++lastId);
  return ids;
}

function widerWord(known: ManifestColumn, type: ColumnType): string {
  const word = typeWord(type);
  if (word === known.type || widens(word, known.type)) return known.type;
  if (widens(known.type, word)) return word;
  throw new Failure(
    'value_refused',
    `Column "${known.name}" holds ${known.type} in the table, and the stream now brings ${word}.`,
  );
}

/** True when every value of the first type is a value of the second. */
function widens(from: string, to: string): boolean {
  if (from === 'int') return to === 'long';
  if (from === 'float') return to === 'double';
  const [narrow, wide] = [decimalParts(from), decimalParts(to)];
  return narrow !== undefined && wide !== undefined && narrow.scale === wide.scale && narrow.precision < wide.precision;
}

function decimalParts(word: string): { precision: number; scale: number } | undefined {
  const match = /^decimal\((\d+),(\d+)\)$/.exec(word);
  return match ? { precision: Number(match[1]), scale: Number(match[2]) } : undefined;
}
