import type { CommitPorts } from '../iceberg/committer.ts';
import type { LiveReader } from '../iceberg/live-files.ts';
import type { Session } from '../iceberg/session.ts';
import type { ParquetCodec } from '../parquet/index.ts';

/** What the upkeep of a table may do; each part is left out where it is absent. */
export interface UpkeepPolicy {
  readonly compact?: { readonly targetFileBytes: number; readonly minInputFiles: number };
  readonly expireSnapshots?: { readonly olderThanMs: number; readonly keepAtLeast: number };
  readonly removeOrphans?: { readonly olderThanMs: number };
}

export interface UpkeepOptions extends CommitPorts {
  readonly policy: UpkeepPolicy;
  readonly codec: ParquetCodec;
  readonly signal: AbortSignal;
  /** Throws when the table lies where this server may not write. */
  readonly allowLocation?: (location: string) => void;
  /** Told what was left undone, in a sentence for people. */
  readonly notice?: (message: string) => void;
}

export interface UpkeepResult {
  readonly compactedFiles: number;
  readonly writtenFiles: number;
  readonly removedDeleteFiles: number;
  readonly expiredSnapshots: number;
  readonly removedFiles: number;
  readonly removedBytes: number;
}

/** One upkeep of one table. */
export interface UpkeepSession extends Session {
  readonly options: UpkeepOptions;
  readonly live: LiveReader;
  /** Throws unless this is the newest upkeep of the table: a newer one removes the older one's files. */
  assertNewest(properties: Readonly<Record<string, string>>): void;
}
