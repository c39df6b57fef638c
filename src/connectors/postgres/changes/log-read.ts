import type { World } from '../../../world.ts';
import type { LogPosition, ReadChanges } from '../../kit/index.ts';
import type { Query } from '../catalog.ts';
import type { PostgresConfig } from '../config.ts';
import type { LogStream } from './stream.ts';
import type { ChangeTable } from './table.ts';
import type { LookUpTypes } from './types.ts';

/** What a session remembers from read to read. */
export interface LogMemory {
  /** Changes that were told as an end already. */
  readonly told: Set<string>;
  /** A type that is not read in its binary form has come: from now on the server prints all values. */
  needsText: boolean;
}

export interface LogRead {
  readonly work: ReadChanges;
  readonly config: PostgresConfig;
  readonly world: World;
  readonly tables: readonly ChangeTable[];
  readonly query: Query;
  readonly lookUp: LookUpTypes;
  readonly memory: LogMemory;
  /** `START_REPLICATION …` from a position. */
  readonly command: (from: bigint, binary: boolean) => string;
  readonly confirmed: bigint;
  readonly senderTimeout: number;
  /** Milliseconds in which the first message must come. */
  readonly firstWait: number;
  readonly from: bigint;
  readonly upTo: bigint | undefined;
  /** The place as a position. */
  readonly print: (lsn: bigint) => LogPosition;
  readonly onStream: (stream: LogStream | undefined) => void;
}
