import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { icebergRead } from 'icebird';

/**
 * Reads an Iceberg table with icebird, a reader that shares no code with Penstock. It speaks HTTP only, so `fetch` is
 * taught local files first (HEAD and byte ranges).
 */
export interface LakeTable {
  readonly rows: number;
  read(range: { from: number; to: number }): Promise<Record<string, unknown>[]>;
}

export async function openLakeTable(folder: string): Promise<LakeTable> {
  serveLocalFiles();
  const metadata = await newestMetadata(folder);
  const snapshots = (metadata['snapshots'] ?? []) as { 'snapshot-id': number; summary: Record<string, string> }[];
  const current = snapshots.find((snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id']);
  return {
    rows: Number(current?.summary['total-records'] ?? 0) - Number(current?.summary['total-equality-deletes'] ?? 0),
    read: ({ from, to }) =>
      icebergRead({ tableUrl: folder, metadata: metadata as never, rowStart: from, rowEnd: to }) as Promise<
        Record<string, unknown>[]
      >,
  };
}

async function newestMetadata(folder: string): Promise<Record<string, unknown>> {
  const names = (await readdir(join(folder, 'metadata'))).filter((name) => name.endsWith('.metadata.json')).sort();
  return JSON.parse(await readFile(join(folder, 'metadata', names.at(-1)!), 'utf8')) as Record<string, unknown>;
}

const remoteFetch = globalThis.fetch;

function serveLocalFiles(): void {
  globalThis.fetch = async (input, init) => {
    const url = String(input);
    if (!url.startsWith('/') && !url.startsWith('file:')) return remoteFetch(input, init);
    return localFile(url.startsWith('file:') ? fileURLToPath(url) : url, init);
  };
}

async function localFile(path: string, init: RequestInit | undefined): Promise<Response> {
  const { size } = await stat(path);
  if (init?.method === 'HEAD') return new Response(null, { headers: { 'content-length': String(size) } });
  const range = /bytes=(\d+)-(\d*)/.exec(new Headers(init?.headers).get('range') ?? '');
  if (!range) return new Response(await readFile(path));
  const start = Number(range[1]);
  const end = range[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
  const file = await open(path);
  try {
    const bytes = new Uint8Array(end - start + 1);
    await file.read(bytes, 0, bytes.length, start);
    return new Response(bytes, { status: 206, headers: { 'content-range': `bytes ${start}-${end}/${size}` } });
  } finally {
    await file.close();
  }
}
