import type { Secrets } from '../../access/index.ts';
import type { Config } from '../../config.ts';
import type { CatalogPort } from '../../lakehouse/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { World } from '../../world.ts';

/** The state row of a job, as JSON text in the shape of contract 5.5 (text, so that every number survives exactly). */
export interface JobState {
  /** `{}` when the job has none yet or is gone. */
  loadState(tx: Transaction, jobId: number): Promise<string>;
  /** Harmless when the job is gone. */
  saveState(tx: Transaction, jobId: number, state: string): Promise<void>;
}

/** What the attempts of this room need from the product around them. */
export interface SyncPorts {
  readonly world: World;
  readonly secrets: Pick<Secrets, 'open'>;
  readonly jobState: JobState;
  /** The built-in table catalog of a project, inside the caller's transaction. */
  catalogIn(tx: Transaction, project: string): CatalogPort;
  readonly config: Pick<Config, 'dataDir' | 'fileRoots' | 'host' | 'testStopAt'>;
  /** Fault tests only: told of every stopping point that an attempt's process reaches. */
  readonly onPoint?: (point: string) => void;
}
