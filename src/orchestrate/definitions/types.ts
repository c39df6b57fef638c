import type { StatusWord } from '../component-runs/types.ts';
import type { Deliverer, RunObserver } from '../../engine/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { Initializer, NotificationRule, Orchestration, Scope, TaskDefinition } from '../types.ts';

/** The newest job of an orchestration, in short. */
export interface LastJob {
  readonly number: number;
  readonly status: StatusWord;
  readonly initializedBy: Initializer;
  readonly createdTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

/** The token that the jobs of an orchestration act with. */
export interface BoundToken {
  readonly id: number;
  readonly description: string;
  /** It is revoked or has expired: jobs fail at their start. */
  readonly isDisabled: boolean;
}

/** An orchestration as it is shown. */
export interface OrchestrationView extends Orchestration {
  readonly token: BoundToken;
  readonly lastJob: LastJob | null;
}

/** A JSON body as it came; every field of it is checked, and named in the message when it is refused. */
export type Sent = Readonly<Record<string, unknown>>;

/** What tasks carry to their components, with the secrets in it. */
export interface TaskParameters {
  /** The parameters in clear, for the component only. */
  open(task: TaskDefinition): Readonly<Record<string, unknown>>;
  /** True when the parameters sent are those of the task; a mask equals the secret that is stored in its place. */
  areSame(task: TaskDefinition, sent: unknown): boolean;
}

/** Orchestrations: what there is to run, when, with which token, and whom to tell. Project by project. */
export interface Definitions {
  /** By ascending id, without their tasks; the number of statements does not depend on how many there are. */
  list(project: string): Promise<readonly OrchestrationView[]>;
  /** Throws `not_found` also for one that is deleted. */
  get(project: string, id: number): Promise<OrchestrationView>;
  /**
   * Makes an orchestration, and its token unless one is named: both or none. With an idempotency key that was used
   * before with the same body, answers what was made then.
   */
  create(scope: Scope, sent: Sent): Promise<OrchestrationView>;
  /** Changes the fields that were sent: all of them or none. `ifRevision`: `conflict` unless it is still at this one. */
  update(
    scope: Scope,
    id: number,
    change: { readonly sent: Sent; readonly ifRevision?: number },
  ): Promise<OrchestrationView>;
  /** It is gone for readers; waiting jobs are cancelled, running ones ended, its token ends with its last job. */
  remove(scope: Scope, id: number): Promise<void>;
  /** Gives it a new token of its own; the former one is revoked if it was made for it. */
  renewToken(scope: Scope, id: number): Promise<OrchestrationView>;
  tasks(project: string, id: number): Promise<readonly TaskDefinition[]>;
  /** Replaces the whole list. Jobs that exist keep theirs. */
  replaceTasks(scope: Scope, id: number, sent: unknown): Promise<readonly TaskDefinition[]>;
  notifications(project: string, id: number): Promise<readonly NotificationRule[]>;
  replaceNotifications(scope: Scope, id: number, sent: unknown): Promise<readonly NotificationRule[]>;
  /** Living orchestrations that act with this token. */
  boundTo(tokenId: number, tx?: Transaction): Promise<readonly { readonly id: number; readonly name: string }[]>;
  /**
   * For whoever makes a job of it in this transaction: as stored, and not deleted before the transaction ends. Undefined
   * when there is none; an id alone is enough for the schedule.
   */
  hold(tx: Transaction, id: number, project?: string): Promise<Orchestration | undefined>;
  readonly parameters: TaskParameters;
  /** Ends tokens of deleted orchestrations with their last job. */
  readonly observer: RunObserver;
  readonly deliverers: Readonly<Record<string, Deliverer>>;
}
