import type { Access, Principal } from '../../access/index.ts';
import type { Engine, State, Trigger } from '../../engine/index.ts';
import type { Queryable, Store, Transaction } from '../../store/index.ts';
import type { Connectors } from '../../connectors/index.ts';
import type { World } from '../../world.ts';
import type { AdvancedSettings, Catalog } from '../types.ts';

export type ConnectionKind = 'source' | 'destination';
export type RunKind = 'sync' | 'clear';

/** On whose behalf a write happens; it is written into the audit. */
export interface Actor {
  readonly principal: Principal;
  readonly face: string;
  readonly requestId?: string;
}

/** A project as one caller sees it. Nothing outside the project is visible or usable through it. */
export interface Scope {
  readonly project: string;
  readonly actor: Actor;
}

export interface Paging {
  /** Absent = all. */
  readonly limit?: number;
  readonly offset: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
}

/** A JSON value that clients send as an object or as a string holding JSON; it goes back in the form it came in. */
export type JsonForm = 'string' | 'object';

export interface FormText {
  readonly form: JsonForm;
  /** JSON text; in string form exactly what the client sent. */
  readonly text: string;
}

export interface ConnectionInput {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly config: unknown;
}

export interface ConnectionView {
  readonly id: number;
  readonly project: string;
  readonly kind: ConnectionKind;
  readonly name: string;
  /** As the client spelled it. */
  readonly type: string;
  readonly version: string;
  /** Secrets masked. */
  readonly config: FormText;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly createdBy: string;
  readonly updatedBy: string;
}

export interface ConnectionItem extends ConnectionView {
  readonly jobs: readonly JobSummary[];
}

export interface LastRun {
  readonly id: string;
  readonly time: Date;
  readonly state: State;
  readonly type: RunKind;
}

/** A job as the list of its source or destination shows it; `other` is the far end. */
export interface JobSummary {
  readonly id: number;
  readonly name: string;
  readonly active: boolean;
  readonly otherName: string;
  readonly otherType: string;
  readonly lastRun: LastRun | null;
}

export interface JobEnd {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly config: FormText;
}

export interface JobView {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly source: JobEnd;
  readonly destination: JobEnd;
  readonly streams: FormText;
  readonly frequency: string;
  readonly active: boolean;
  readonly advanced: AdvancedSettings | null;
  readonly lastRun: LastRun | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly createdBy: string;
  readonly updatedBy: string;
}

/** An end of a job in a write: a row by its id, or a connection by its values. */
export interface JobEndInput {
  readonly id?: number;
  readonly name?: string;
  readonly type?: string;
  readonly version?: string;
  readonly config?: unknown;
}

export interface JobInput {
  readonly name: string;
  readonly source: JobEndInput;
  readonly destination: JobEndInput;
  readonly frequency: string;
  readonly streams: unknown;
  readonly active?: boolean;
  readonly advanced?: unknown;
  /** Only in updates: streams to clear and load again. */
  readonly differenceStreams?: unknown;
}

export interface JobQuery extends Paging {
  readonly sourceId?: number;
  readonly destinationId?: number;
}

/** The part of the schedule room that jobs need. Times of a key are kept durably with the caller's transaction. */
export interface JobSchedule {
  /** Throws `bad_request` for text that is no frequency. */
  check(frequency: string): void;
  /** Fires from now on by this frequency; replaces what the key had. */
  set(tx: Transaction, key: string, frequency: string): Promise<unknown>;
  /** No more fires; harmless when the key is unknown. */
  remove(tx: Transaction, key: string): Promise<void>;
}

/** What the definitions of this room stand on. */
export interface DefinitionRooms {
  readonly world: World;
  readonly store: Store;
  readonly engine: Engine;
  readonly access: Access;
  readonly schedule: JobSchedule;
  readonly connectors: Connectors;
}

export interface StreamDifference {
  readonly selected_streams: Catalog['selected_streams'];
  readonly streams: Catalog['streams'];
}

export type { AdvancedSettings, Catalog, Queryable, Transaction, Trigger };
