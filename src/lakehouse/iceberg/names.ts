import { createHash } from 'node:crypto';
import type { World } from '../../world.ts';

/**
 * Names of the files that one opening of a table writes. Every name tells the job (a hash of its checkpoint key) and the
 * session, so that a later opening by the same job knows what an attempt of its own left behind.
 */
export interface FileNames {
  /** Random, new for each opening. */
  readonly session: string;
  readonly markerPath: string;
  dataFile(folder: string): string;
  deleteFile(folder: string): string;
  manifest(): string;
  manifestList(): string;
  metadata(version: number): string;
  newUuid(): string;
  /** True for a metadata file that this session, or a writer that joined it, has named. */
  isOfSession(path: string): boolean;
  /** True for files of earlier sessions of the same job; temporary names count. */
  isLeftBehind(path: string): boolean;
}

export interface NamedTable {
  readonly location: string;
  readonly checkpointKey: string;
  readonly run: string;
}

/** With `joined`: names of one more writer of that session; the session's own are a prefix of them. */
export function createFileNames(world: World, table: NamedTable, joined?: { readonly session: string }): FileNames {
  const job = createHash('sha256').update(table.checkpointKey).digest('hex').slice(0, 12);
  const session = joined?.session ?? world.random(6).toString('hex');
  const run = table.run.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 60);
  const own = `penstock-${job}-${session}${joined ? `-w${world.random(4).toString('hex')}` : ''}`;
  const data = `${table.location}/data`;
  const metadata = `${table.location}/metadata`;
  const jobUuid = `${job.slice(0, 8)}-${job.slice(8, 12)}-`;
  let count = 0;
  const next = (): string => String((count += 1)).padStart(5, '0');

  /** A version 4 shaped uuid whose first twelve digits are the job's and the next three the session's. */
  function newUuid(): string {
    const random = world.random(8).toString('hex');
    return `${jobUuid}4${session.slice(0, 3)}-8${random.slice(0, 3)}-${random.slice(3, 15)}`.padEnd(36, '0');
  }
  return {
    session,
    markerPath: `${metadata}/penstock-${job}.open`,
    dataFile: (folder) => `${data}/${folder}${own}-${run}-${next()}.parquet`,
    deleteFile: (folder) => `${data}/${folder}${own}-${run}-${next()}-deletes.parquet`,
    manifest: () => `${metadata}/${own}-${next()}-m0.avro`,
    manifestList: () => `${metadata}/${own}-${next()}-snap.avro`,
    metadata: (version) => `${metadata}/${String(version).padStart(5, '0')}-${newUuid()}.metadata.json`,
    newUuid,
    isOfSession: (path) => path.startsWith(`${metadata}/${own}-`) && !path.includes('/', metadata.length + 1),
    isLeftBehind(path) {
      const name = path.slice(path.lastIndexOf('/') + 1).replace(/^\./, '');
      if (name.startsWith(`penstock-${job}-`)) return !name.startsWith(`${own}-`);
      const uuid = /^\d+-([0-9a-f-]{36})\.metadata\.json/.exec(name)?.[1];
      return (
        uuid !== undefined && uuid.startsWith(`${jobUuid}4`) && !uuid.startsWith(`${jobUuid}4${session.slice(0, 3)}-`)
      );
    },
  };
}

/** The version that a metadata file's name begins with; -1 when it has none. */
export function metadataVersion(location: string): number {
  const name = location.slice(location.lastIndexOf('/') + 1);
  return Number(/^v?(\d+)/.exec(name)?.[1] ?? -1);
}
