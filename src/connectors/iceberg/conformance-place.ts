import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { icebergRead } from 'icebird';
import type { MetadataVersion } from '../../lakehouse/index.ts';
import { createLocalStorage, loadTable, openJdbcCatalog, referencedFiles } from '../../lakehouse/index.ts';
import { createWorld } from '../../world.ts';
import type { DestinationPlace } from '../kit/conformance/destination.ts';
import type { TableName } from '../kit/index.ts';
import { connector } from './index.ts';

/** An Iceberg destination in a folder with a SQLite catalog, read back by icebird, which shares no code with ours. */
export async function openPlace(folder: string): Promise<DestinationPlace> {
  const warehouse = join(folder, 'lake');
  const jdbc_url = `jdbc:sqlite:${join(folder, 'catalog.db')}`;
  const storage = createLocalStorage(createWorld());
  const owned = await openJdbcCatalog({ url: jdbc_url, catalogName: 'lake', allowPath: () => {} });
  const load = (name: TableName): Promise<MetadataVersion | undefined> =>
    loadTable({ storage, catalog: owned.catalog, name });
  return {
    open: ({ world, guard }) =>
      connector.open(
        {
          type: 'ICEBERG',
          writer: { catalog_type: 'jdbc', jdbc_url, catalog_name: 'lake', iceberg_s3_path: warehouse },
        },
        { world, guard, warehouse, allowPath: () => {}, log: () => {}, signal: new AbortController().signal },
      ),
    async readRows(name) {
      const table = await load(name);
      const snapshot = table?.metadata['current-snapshot-id'];
      return snapshot === undefined ? [] : readByIcebird(table!);
    },
    async listFiles(name) {
      const table = await load(name);
      const paths = await readdir(join(warehouse, name.database, name.table), { recursive: true }).catch(() => []);
      const files = paths.filter((path) => !path.endsWith('.open') && basename(path).includes('.'));
      const listed = table ? [...(await referencedFiles(storage, table))] : [];
      return { found: files.map((path) => basename(path)).sort(), listed: listed.sort() };
    },
    close: () => owned.close(),
  };
}

async function readByIcebird(table: MetadataVersion): Promise<Record<string, unknown>[]> {
  const original = globalThis.fetch;
  globalThis.fetch = fetchFile as typeof fetch;
  try {
    const metadata = JSON.parse(await readFile(table.location, 'utf8')) as never;
    return await icebergRead({ tableUrl: table.metadata.location, metadata });
  } catch (error) {
    // icebird refuses tables whose snapshot lists no data file.
    if (String(error).includes('No data manifest files')) return [];
    throw error;
  } finally {
    globalThis.fetch = original;
  }
}

async function fetchFile(
  path: string,
  init?: { method?: string; headers?: Record<string, string> },
): Promise<Response> {
  if (init?.method === 'HEAD') {
    return new Response(null, { headers: { 'content-length': String((await stat(path)).size) } });
  }
  const bytes = await readFile(path);
  const range = /bytes=(\d+)-(\d*)/.exec(new Headers(init?.headers).get('range') ?? '');
  if (!range) return new Response(bytes);
  const end = range[2] ? Number(range[2]) + 1 : bytes.length;
  return new Response(bytes.subarray(Number(range[1]), end), { status: 206 });
}
