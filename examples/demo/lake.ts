import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { icebergRead } from 'icebird';
import { withLocalFiles } from '../../test/support/local-files.ts';

/** An Iceberg table as icebird sees it, a reader that shares no code with Penstock. */
export interface LakeTable {
  readonly rows: number;
  read(range: { from: number; to: number }): Promise<Record<string, unknown>[]>;
}

export async function openLakeTable(folder: string): Promise<LakeTable> {
  const metadata = await newestMetadata(folder);
  const snapshots = (metadata['snapshots'] ?? []) as { 'snapshot-id': number; summary: Record<string, string> }[];
  const current = snapshots.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id']);
  return {
    rows: Number(current?.summary['total-records'] ?? 0) - Number(current?.summary['total-equality-deletes'] ?? 0),
    read: ({ from, to }) =>
      withLocalFiles(() =>
        icebergRead({ tableUrl: folder, metadata: metadata as never, rowStart: from, rowEnd: to }),
      ) as Promise<Record<string, unknown>[]>,
  };
}

async function newestMetadata(folder: string): Promise<Record<string, unknown>> {
  const names = (await readdir(join(folder, 'metadata'))).filter((name) => name.endsWith('.metadata.json')).sort();
  return JSON.parse(await readFile(join(folder, 'metadata', names.at(-1)!), 'utf8')) as Record<string, unknown>;
}
