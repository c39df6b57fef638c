import type { LogLine, MaintenancePolicy } from '../../connectors/kit/index.ts';
import type { FailureRecord } from '../../errors.ts';
import type { TableName } from '../../lakehouse/index.ts';
import type { AdvancedSettings, Catalog, RunLineage, SyncProgress } from '../types.ts';
import type { ShareQuestion, SharingSettings } from './share/types.ts';

/** A connection with its config in the clear. Crosses to the child by IPC only, never by arguments or environment. */
export interface OpenConnection {
  readonly type: string;
  readonly config: unknown;
}

/** Which local folders a destination may use. */
export interface FolderRules {
  /** Always allowed: the warehouse inside the data folder. */
  readonly warehouse: string;
  /** Refused, apart from the warehouse. */
  readonly dataDir: string;
  /** Refused as well: where the embedded database has its files and its socket. */
  readonly closed: readonly string[];
  /** Only below these; null = anywhere else. */
  readonly roots: readonly string[] | null;
}

interface Surroundings {
  readonly folders: FolderRules;
  /** Fault tests: the point at which the child kills itself. */
  readonly stopAt?: string;
  /** Tell of every stopping point reached. */
  readonly tracePoints?: boolean;
  /** Megabytes of resident memory at which the attempt gives up. */
  readonly memoryMb?: number;
}

export interface SyncWork extends Surroundings {
  readonly kind: 'sync';
  readonly project: string;
  readonly jobId: number;
  readonly run: string;
  readonly catalog: Catalog;
  readonly advanced: AdvancedSettings;
  readonly source: OpenConnection;
  readonly destination: OpenConnection;
  /** The job's state file, as text. */
  readonly state: string;
  /** Where refused rows are kept. */
  readonly runFolder: string;
  /** There when other tasks of the run may help to load. */
  readonly sharing?: SharingSettings;
}

/** Helps to load what another task of the run commits: `share/README.md`. */
export interface ReadWork extends Surroundings {
  readonly kind: 'read';
  readonly advanced: AdvancedSettings;
  readonly source: OpenConnection;
  readonly destination: OpenConnection;
  readonly runFolder: string;
}

export interface ClearWork extends Surroundings {
  readonly kind: 'clear';
  readonly destination: OpenConnection;
  readonly tables: readonly TableName[];
}

export interface MaintainWork extends Surroundings {
  readonly kind: 'maintain';
  readonly destination: OpenConnection;
  readonly tables: readonly TableName[];
  readonly policy: MaintenancePolicy;
}

export interface VerifyWork extends Surroundings {
  readonly kind: 'verify';
  readonly catalog: Catalog;
  readonly source: OpenConnection;
  readonly destination: OpenConnection;
}

export interface CheckWork extends Surroundings {
  readonly kind: 'check';
  readonly side: 'source' | 'destination';
  readonly connection: OpenConnection;
}

export interface DiscoverWork extends Surroundings {
  readonly kind: 'discover';
  readonly source: OpenConnection;
  readonly threads: number;
}

/** What a child process can be asked to do. */
export type Work = SyncWork | ReadWork | ClearWork | MaintainWork | VerifyWork | CheckWork | DiscoverWork;

/** What the work connects to. */
export function connectionsOf(work: Work): readonly OpenConnection[] {
  if ('connection' in work) return [work.connection];
  const source = 'source' in work ? [work.source] : [];
  return 'destination' in work ? [...source, work.destination] : source;
}

/** What the child asks of the process that owns the store. Answers are JSON. */
export type Question =
  | { readonly ask: 'guard' }
  | { readonly ask: 'catalog.load'; readonly name: TableName }
  | { readonly ask: 'catalog.swap'; readonly name: TableName; readonly expected: string | null; readonly next: string }
  | { readonly ask: 'catalog.drop'; readonly name: TableName }
  | { readonly ask: 'catalog.list'; readonly database?: string }
  /** `change` is the JSON text of the parts of a StateFile that changed: text, so that its numbers stay exact. */
  | { readonly ask: 'saveState'; readonly change: string }
  | ShareQuestion;

export interface SyncResult {
  readonly warnings: number;
  readonly progress: SyncProgress;
  readonly lineage: RunLineage;
}

export type ToParent =
  | ({ readonly type: 'log' } & LogLine)
  | { readonly type: 'progress'; readonly value: SyncProgress }
  | { readonly type: 'point'; readonly name: string }
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  | { readonly type: 'done'; readonly value: unknown }
  | { readonly type: 'failed'; readonly record: FailureRecord };

export type ToChild =
  | { readonly type: 'work'; readonly work: Work }
  | { readonly type: 'cancel'; readonly record: FailureRecord }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly record: FailureRecord };
