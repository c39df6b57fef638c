import { readdir } from 'node:fs/promises';
import { Failure } from '../errors.ts';
import type { DestinationConnector, SourceConnector } from './kit/index.ts';

/** The connectors of this installation, found by their folders. */
export interface Connectors {
  readonly sources: readonly SourceConnector[];
  readonly destinations: readonly DestinationConnector[];
  /** By type or synonym, whatever the case; `bad_request` that lists what exists otherwise. */
  findSource(type: string): SourceConnector;
  findDestination(type: string): DestinationConnector;
}

type Connector = SourceConnector | DestinationConnector;

/** Types that clients know and this installation may lack; they get a sentence of their own. */
const KNOWN_ELSEWHERE = new Set(
  'postgres postgresql mysql mariadb mongodb mongo kafka s3 file oracle mssql db2 dynamodb parquet iceberg'.split(' '),
);

let loading: Promise<Connectors> | undefined;

/** Loads every connector folder once per process. A folder is a connector when it is not `kit`. */
export function loadConnectors(): Promise<Connectors> {
  loading ??= readFolders(new URL('.', import.meta.url));
  return loading;
}

/**
 * The connectors of these types alone, for a process that starts for them: code of the others is not even read. All
 * connectors, where a type is not the name of a folder.
 */
export async function loadConnectorsOf(types: readonly string[]): Promise<Connectors> {
  const root = new URL('.', import.meta.url);
  const there = await listFolders(root);
  if (!types.every((type) => there.includes(type))) return loadConnectors();
  return loadFolders(
    root,
    there.filter((folder) => types.includes(folder)),
  );
}

export async function findSource(type: string): Promise<SourceConnector> {
  return (await loadConnectors()).findSource(type);
}

export async function findDestination(type: string): Promise<DestinationConnector> {
  return (await loadConnectors()).findDestination(type);
}

async function readFolders(root: URL): Promise<Connectors> {
  return loadFolders(root, await listFolders(root));
}

async function listFolders(root: URL): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== 'kit').map((entry) => entry.name);
  return folders.toSorted();
}

async function loadFolders(root: URL, folders: readonly string[]): Promise<Connectors> {
  const found: Connector[] = [];
  for (const folder of folders) {
    const connector = await loadFolder(new URL(`${folder}/index.ts`, root));
    if (connector) found.push(connector);
  }
  return createConnectors(found);
}

async function loadFolder(index: URL): Promise<Connector | undefined> {
  try {
    const module = (await import(index.href)) as { connector?: Connector };
    return module.connector;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND' && String(error).includes(index.pathname)) {
      return undefined;
    }
    throw error;
  }
}

/** The look-up over given connectors. */
export function createConnectors(all: readonly Connector[]): Connectors {
  const sources = all.filter((connector) => connector.kind === 'source');
  const destinations = all.filter((connector) => connector.kind === 'destination');
  return {
    sources,
    destinations,
    findSource: (type) => find(sources, type, 'source'),
    findDestination: (type) => find(destinations, type, 'destination'),
  };
}

function find<T extends Connector>(connectors: readonly T[], type: string, kind: string): T {
  const word = type.trim().toLowerCase();
  const match = connectors.find((connector) => connector.type === word || connector.synonyms.includes(word));
  if (match) return match;
  const available = connectors.map((connector) => connector.type).join(', ') || 'none';
  const problem = KNOWN_ELSEWHERE.has(word) ? `"${word}" is not available` : `unknown ${kind} type "${type}"`;
  throw new Failure('bad_request', `${problem}; available: ${available}`);
}
