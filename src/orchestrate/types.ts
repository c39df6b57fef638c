import type { RunView } from '../engine/index.ts';
import type { Actor, StorageToken } from '../access/index.ts';
import type { Transaction } from '../store/index.ts';

/** One member of an orchestration's task list, as stored and shown (keboola contract 5.2). */
export type TaskDefinition = TaskSettings &
  (
    | { readonly component: string; readonly action: string; readonly componentUrl?: never }
    | { readonly componentUrl: string; readonly component?: never; readonly action?: never }
  );

interface TaskSettings {
  readonly id: number;
  /** As shown: secrets are the mask. `Definitions.parameters.open` answers them in clear. */
  readonly actionParameters: Readonly<Record<string, unknown>>;
  /** The secrets of the parameters, sealed for the task with this id. Never shown. */
  readonly sealed?: string;
  readonly continueOnFailure: boolean;
  readonly timeoutMinutes: number | null;
  readonly active: boolean;
  /** Adjacent tasks with the same phase run at the same time; null: alone. */
  readonly phase: string | null;
}

export type Channel = 'error' | 'warning' | 'waiting' | 'processing';

/** Whom to tell of what (5.3); `email` may also be the address of a webhook (15.11). */
export interface NotificationRule {
  readonly email: string;
  readonly channel: Channel;
  /** As shown: `#secret` of a webhook is the mask. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What signs the messages to a webhook, sealed for `WEBHOOK_SECRET`. Never shown. */
  readonly sealedSecret?: string;
}

export interface Orchestration {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly crontabRecord: string | null;
  readonly zone: string;
  readonly overlap: 'enqueue' | 'coalesce' | 'skip' | 'cancelRunning';
  readonly catchUp: 'none' | 'one' | 'all';
  readonly active: boolean;
  readonly tokenId: number;
  readonly tasks: readonly TaskDefinition[];
  readonly notifications: readonly NotificationRule[];
  readonly revision: number;
  readonly lastScheduledTime: Date | null;
  readonly nextScheduledTime: Date | null;
  readonly createdTime: Date;
}

export type Initializer = 'manually' | 'scheduler' | 'trigger';

/** A job: the run, and what a job has besides. */
export interface Job {
  readonly run: RunView;
  readonly orchestrationId: number;
  readonly orchestrationName: string;
  readonly initializedBy: Initializer;
  readonly tokenId: number;
  readonly initiatorId: number;
  readonly initiatorAgent: string;
  readonly emails: readonly string[];
  readonly tasks: readonly TaskDefinition[];
  readonly notifications: readonly NotificationRule[];
  readonly retryOf: number | null;
  readonly scheduledTime: Date | null;
  readonly logicalTime: Date | null;
  readonly coalescedTicks: number;
}

/** Output of a task of a job: how what it called ended (5.5). */
export interface TaskEnd {
  readonly status: 'success' | 'warning' | 'error' | 'cancelled' | 'terminated';
  /** Last body of a component elsewhere, or why the task failed by itself; absent when the run that it started tells. */
  readonly response?: unknown;
  /** Why it is no success, for people. */
  readonly message?: string;
}

/** Who asks: the token, the user agent, and the ancestors named by `X-KBC-RunId`. */
export interface Caller {
  readonly token: StorageToken;
  readonly userAgent: string;
  readonly parentPath: string | null;
  readonly idempotencyKey?: string;
}

/** Where a change is made and by whom. */
export interface Scope {
  readonly project: string;
  readonly caller: Caller;
  /** For the audit. */
  readonly actor: Actor;
}

/** A message to people, as `notify` keeps and delivers it. */
export interface Message {
  /** Unique: a second message with the same key is dropped. */
  readonly key: string;
  readonly project: string;
  readonly orchestrationId: number;
  /** Number of the job. */
  readonly jobId: number;
  readonly channel: Channel;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Alerts with the same cause are one group. */
  readonly cause: string;
  /** For webhooks: the same as data. */
  readonly data: unknown;
  /** Of the webhook's rule: what signs it (`NotificationRule.sealedSecret`). */
  readonly sealedSecret?: string;
}

/** The port through which this room tells people; `notify` stands behind it. */
export interface Messages {
  send(tx: Transaction, messages: readonly Message[]): Promise<void>;
  /** Jobs that people were told of in the last hour, with this cause. */
  countOfCause(tx: Transaction, project: string, cause: string): Promise<number>;
}
