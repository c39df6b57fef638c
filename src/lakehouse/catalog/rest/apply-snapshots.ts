import type { ExactInteger } from '../../iceberg/exact.ts';
import { findSnapshot } from '../../iceberg/metadata.ts';
import type { Snapshot, TableMetadata } from '../../iceberg/model.ts';
import type { Draft } from './draft.ts';
import type { TableUpdate } from './protocol.ts';
import type { Message } from './read.ts';
import { asLong, readInteger, readLong, readObject, readText, readTexts, refuse } from './read.ts';

/** Adds a snapshot to the table's; no branch shows it yet. */
export function addSnapshot(draft: Draft, update: TableUpdate): Draft {
  const { metadata } = draft;
  const snapshot = readSnapshot(update['snapshot']);
  if (findSnapshot(metadata, snapshot['snapshot-id'])) throw refuse('The table has a snapshot of this id already.');
  const sequence = snapshot['sequence-number'];
  if (snapshot['parent-snapshot-id'] !== undefined && sequence <= metadata['last-sequence-number']) {
    throw refuse(`The sequence number ${sequence} is not above the table's last.`);
  }
  const changed = {
    ...metadata,
    'last-sequence-number': Math.max(sequence, metadata['last-sequence-number']),
    snapshots: [...metadata.snapshots, snapshot],
  };
  return { ...draft, metadata: changed };
}

function readSnapshot(value: unknown): Snapshot {
  const message = readObject(value, 'snapshot');
  const parent = message['parent-snapshot-id'] ?? undefined;
  const { 'parent-snapshot-id': _parent, ...rest } = message;
  const summary = readTexts(message['summary'], 'summary');
  readText(summary, 'operation');
  return {
    ...rest,
    'snapshot-id': readLong(message, 'snapshot-id'),
    ...(parent !== undefined && { 'parent-snapshot-id': asLong(parent, 'parent-snapshot-id') }),
    'sequence-number': message['sequence-number'] === undefined ? 0 : readInteger(message, 'sequence-number'),
    'timestamp-ms': readInteger(message, 'timestamp-ms'),
    'manifest-list': readText(message, 'manifest-list'),
    summary: summary as Snapshot['summary'],
  };
}

const refOptions = ['max-ref-age-ms', 'max-snapshot-age-ms', 'min-snapshots-to-keep'] as const;

/** Makes a branch or tag, or moves it. The branch `main` is the table. */
export function setRef(draft: Draft, update: TableUpdate): Draft {
  const { metadata, now } = draft;
  const name = readText(update, 'ref-name');
  const type = readText(update, 'type');
  const id = readLong(update, 'snapshot-id');
  if (type !== 'branch' && type !== 'tag') throw refuse('"type" must be branch or tag.');
  if (name === 'main' && type !== 'branch') throw refuse('main is a branch.');
  if (!findSnapshot(metadata, id)) throw refuse(`The table has no snapshot ${id}.`);
  const options = refOptions.filter((key) => typeof update[key] === 'number');
  const ref = { 'snapshot-id': id, type, ...Object.fromEntries(options.map((key) => [key, update[key]])) };
  const refs = { ...metadata.refs, [name]: ref };
  if (name !== 'main' || metadata['current-snapshot-id'] === id) return { ...draft, metadata: { ...metadata, refs } };
  const log = [...metadata['snapshot-log'], { 'timestamp-ms': now, 'snapshot-id': id }];
  return { ...draft, metadata: { ...metadata, refs, 'current-snapshot-id': id, 'snapshot-log': log } };
}

export function removeRef(metadata: TableMetadata, name: string): Partial<TableMetadata> {
  const { [name]: _gone, ...refs } = metadata.refs;
  return { refs, ...(name === 'main' && { 'current-snapshot-id': undefined }) };
}

/** Forgets snapshots, and the branches, statistics and history that name them. */
export function removeSnapshots(metadata: TableMetadata, list: readonly unknown[]): Partial<TableMetadata> {
  const gone = new Set<unknown>(list.map((id) => asLong(id, 'snapshot-ids')));
  const refs = Object.entries(metadata.refs).filter(([, ref]) => !gone.has(ref['snapshot-id']));
  // The history reaches back to the first entry that still can be read.
  const log = metadata['snapshot-log'];
  const lastGone = log.findLastIndex((entry) => gone.has(entry['snapshot-id']));
  const current = metadata['current-snapshot-id'];
  return {
    ...(current !== undefined && gone.has(current) && { 'current-snapshot-id': undefined }),
    snapshots: metadata.snapshots.filter((one) => !gone.has(one['snapshot-id'])),
    refs: Object.fromEntries(refs),
    'snapshot-log': log.slice(lastGone + 1),
    ...keepStatistics(metadata, (id) => !gone.has(id)),
  };
}

type StatisticsKey = 'statistics' | 'partition-statistics';

const listOf = (metadata: TableMetadata, key: StatisticsKey): readonly Message[] =>
  (metadata[key] as readonly Message[] | undefined) ?? [];

function keepStatistics(metadata: TableMetadata, keep: (id: unknown) => boolean): Partial<TableMetadata> {
  const keys = (['statistics', 'partition-statistics'] as const).filter((key) => metadata[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, listOf(metadata, key).filter((one) => keep(one['snapshot-id']))]));
}

/** One file of statistics for each snapshot. */
export function setStatistics(metadata: TableMetadata, key: StatisticsKey, value: unknown): Partial<TableMetadata> {
  const file = readObject(value, key);
  const id: ExactInteger = readLong(file, 'snapshot-id');
  readText(file, 'statistics-path');
  return { [key]: [...listOf(metadata, key).filter((one) => one['snapshot-id'] !== id), file] };
}

export function removeStatistics(metadata: TableMetadata, key: StatisticsKey, value: unknown): Partial<TableMetadata> {
  const id = asLong(value, 'snapshot-id');
  return { [key]: listOf(metadata, key).filter((one) => one['snapshot-id'] !== id) };
}
