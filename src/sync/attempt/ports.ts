import type { Secrets } from '../../access/index.ts';
import type { Config } from '../../config.ts';
import type { CatalogPort } from '../../lakehouse/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { World } from '../../world.ts';
import type { StateFile } from '../types.ts';
import type { SharingSettings } from './share/types.ts';

/** The state row of a job, in the shape of contract 5.5; numbers beyond 2^53 are raw JSON values. */
export interface JobState {
  /** `{}` when the job has none yet or is gone. */
  loadState(tx: Transaction, jobId: number): Promise<StateFile>;
  /** Harmless when the job is gone. */
  saveState(tx: Transaction, jobId: number, state: StateFile): Promise<void>;
}

/** What the attempts of this room need from the product around them. */
export interface SyncPorts {
  readonly world: World;
  readonly secrets: Pick<Secrets, 'open'>;
  readonly jobState: JobState;
  /** The built-in table catalog of a project, inside the caller's transaction. */
  catalogIn(tx: Transaction, project: string): CatalogPort;
  readonly config: Pick<Config, 'dataDir' | 'fileRoots' | 'host' | 'serverKeys' | 'testStopAt'> & {
    /** Folders that no connection may use besides the data folder. */
    readonly closedFolders?: readonly string[];
  };
  /** When loads are shared among the tasks of a run; tests share small ones. */
  readonly sharing?: SharingSettings;
  /** Fault tests only: told of every stopping point that an attempt's process reaches. */
  readonly onPoint?: (point: string) => void;
}

/** What probes need besides: they run outside of any attempt. */
export interface ProbePorts extends Pick<SyncPorts, 'world' | 'catalogIn' | 'config'> {
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}
