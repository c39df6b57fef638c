import type { LookUpTypes, LogTypeFacts, TypeName } from './types.ts';
import { readerOf, type CellReader } from './cells.ts';
import type { ChangeTable } from './table.ts';

/** A table as the log describes it before its first change and after each change of its shape. */
export interface LogRelation {
  readonly oid: number;
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly LogColumn[];
}

export interface LogColumn extends TypeName {
  readonly name: string;
  /** Part of the replica identity. */
  readonly isKey: boolean;
}

/** Parses the message `R` from behind its first byte. */
export function parseRelation(body: Buffer): LogRelation {
  let at = 4;
  const text = (): string => {
    const end = body.indexOf(0, at);
    const found = body.toString('utf8', at, end);
    at = end + 1;
    return found;
  };
  const namespace = text() || 'pg_catalog';
  const name = text();
  const count = body.readUInt16BE(at + 1);
  at += 3;
  const columns = Array.from({ length: count }, (): LogColumn => {
    const isKey = (body[at++] ?? 0) === 1;
    const column = text();
    const oid = body.readUInt32BE(at);
    const modifier = body.readInt32BE(at + 4);
    at += 8;
    return { name: column, isKey, oid, modifier };
  });
  return { oid: body.readUInt32BE(0), namespace, name, columns };
}

/** How the rows of a relation of the log become rows of a stream. */
export interface RelationPlan {
  readonly relation: LogRelation;
  readonly table: ChangeTable;
  /** Per field of the stream the column of the log, or -1. */
  readonly sources: Int32Array;
  readonly readers: readonly (CellReader | undefined)[];
  /** Fields that the log never brings and that are fetched from the table: generated ones, or of an unreadable type. */
  readonly absent: Uint8Array;
  readonly filterSources: readonly number[];
  readonly filterReaders: readonly (CellReader | undefined)[];
  /** Columns of the log that the selection lacks. */
  readonly news: readonly string[];
  /** A column whose type in the log fits the stream no longer. */
  readonly misfit: string | undefined;
  /** False when a value of a selected column is not read in its binary form. */
  readonly readsBinary: boolean;
}

export async function planRelation(
  relation: LogRelation,
  table: ChangeTable,
  lookUp: LookUpTypes,
): Promise<RelationPlan> {
  const facts = await lookUp(relation.columns);
  const places = new Map(relation.columns.map(({ name }, at) => [name, at]));
  const sources = table.fields.map(({ column }) => places.get(column.name) ?? -1);
  const factsAt = (at: number): LogTypeFacts | undefined => (at < 0 ? undefined : facts[at]);
  const readers = table.fields.map((field, at) => {
    const found = factsAt(sources[at] ?? -1);
    return found && readerOf(found, field);
  });
  const filterSources = table.filter.map(({ column }) => places.get(column) ?? -1);
  const filterReaders = table.filter.map(({ field }, at) => {
    const found = factsAt(filterSources[at] ?? -1);
    return found && readerOf(found, field);
  });
  const selected = new Set(table.fields.map(({ column }) => column.name));
  const used = [...readers, ...filterReaders];
  const misfit = table.fields.find((_, at) => (sources[at] ?? -1) >= 0 && !readers[at])?.column.name;
  return {
    relation,
    table,
    sources: Int32Array.from(sources),
    readers,
    absent: Uint8Array.from(table.fields, ({ column }, at) =>
      (sources[at] ?? -1) < 0 ? (table.generated.has(column.name) ? 1 : 0) : readers[at]?.printed ? 0 : 1,
    ),
    filterSources,
    filterReaders,
    news: relation.columns.map(({ name }) => name).filter((name) => !selected.has(name)),
    misfit,
    readsBinary: used.every((reader) => !reader || (reader.binary !== undefined && reader.print !== undefined)),
  };
}
