import type { World } from '../../../world.ts';
import type { CommitGuard, DestinationSession, TableName } from '../index.ts';

/** One fresh, empty destination, reachable from any process that knows its folder. */
export interface DestinationPlace {
  open(options: { readonly world: World; readonly guard: CommitGuard }): Promise<DestinationSession>;
  /** The table as an independent reader sees it; empty when there is no such table. */
  readRows(name: TableName): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Data files that a reader of the folder would find, and those that the table's metadata lists; both sorted. */
  listFiles(name: TableName): Promise<{ readonly found: readonly string[]; readonly listed: readonly string[] }>;
  close(): Promise<void>;
}

/** What the module behind `ConformanceOptions.place` exports as `openPlace`. */
export type OpenPlace = (folder: string) => Promise<DestinationPlace>;

export interface ConformanceOptions {
  /** Module that exports `openPlace`; child processes load it too. */
  readonly place: URL;
  /** Every stopping point that the destination declares. */
  readonly stoppingPoints: readonly string[];
  /** Those of them to die at, when the others are tried by another suite of the same code; all when absent. */
  readonly crashPoints?: readonly string[];
  /** Points that the story of the suite does not come by: other suites try them. */
  readonly triedElsewhere?: readonly string[];
  /** How many occurrences of each point are tried; 3 when absent. Fewer where the same code runs on another storage. */
  readonly occurrences?: number;
  /** The points after which a second crash is tried; all when absent. */
  readonly doubleCrashes?: readonly string[];
  /** True when `upsert` makes older rows with the same identifier vanish; false for append-only destinations. */
  readonly upserts: boolean;
  /**
   * True when readers go by the table's metadata and so switch from one state to the next at once. False when they may
   * glob files, and may find a decided commit half visible until a crash is recovered.
   */
  readonly readersSwitchAtOnce: boolean;
  /** A partition pattern over the column `name`. */
  readonly partition: string;
}

/** Loads the place of a destination. */
export async function loadPlace(module: string, folder: string): Promise<DestinationPlace> {
  const { openPlace } = (await import(module)) as { openPlace: OpenPlace };
  return openPlace(folder);
}
