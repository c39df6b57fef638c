import { typeWord } from '../../../columns/index.ts';
import type { ReadChanges } from '../../kit/index.ts';
import { readRelations, type Query } from '../catalog.ts';
import type { LogPlace } from '../snapshot.ts';
import { printPosition } from './position.ts';
import type { Starts } from './starts.ts';
import type { StatementMeaning } from './statements.ts';

/** What the reads of a session have told already, so that going on gets further. */
export type Told = Set<string>;

interface Work {
  readonly query: Query;
  readonly changes: ReadChanges;
  readonly told: Told;
  readonly starts: Starts;
}

/** Streams that must hear of the statement behind `place`: emptied and replaced ones, and altered ones that have columns we lack. */
export async function alteredStreams(work: Work, meaning: StatementMeaning, place: LogPlace): Promise<number[]> {
  const streams: number[] = [];
  for (const [index, { selection }] of work.changes.streams.entries()) {
    const { namespace, name } = selection;
    if (!meaning.tables.some((table) => table.namespace === namespace && (table.name ?? name) === name)) continue;
    if (work.starts.isKnown(index)) continue;
    const key = `${meaning.kind} ${printPosition(place)} ${namespace}.${name}`;
    if (work.told.has(key)) continue;
    if (meaning.kind === 'altered' && !(await hasNewColumns(work.query, selection))) continue;
    work.told.add(key);
    streams.push(index);
  }
  return streams;
}

type Selection = ReadChanges['streams'][number]['selection'];

async function hasNewColumns(query: Query, { namespace, name, columns }: Selection): Promise<boolean> {
  const [relation] = await readRelations(query, namespace, name);
  const known = new Map(columns.map((column) => [column.name, typeWord(column.column.type)]));
  return relation?.columns.some((column) => known.get(column.name) !== typeWord(column.reading.type)) ?? false;
}
