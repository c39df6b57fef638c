import type { FailureRecord } from '../../errors.ts';
import type { StatusWord } from '../component-runs/types.ts';
import type { Channel, Initializer, NotificationRule } from '../types.ts';

/** What alerts need to know of a job and its orchestration. */
export interface AlertJob {
  readonly runId: string;
  readonly number: number;
  readonly path: string;
  readonly project: string;
  readonly lane: string | null;
  readonly status: StatusWord;
  readonly createdTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  readonly orchestrationId: number;
  readonly orchestrationName: string;
  readonly initializedBy: Initializer;
  readonly initiatorId: number;
  readonly emails: readonly string[];
  /** As they were when the job was made. */
  readonly notifications: readonly NotificationRule[];
  /** What its orchestration took on average, measured when the job began; null when there was too little to measure. */
  readonly usualSeconds: number | null;
  /** Of the orchestration, as it is now. */
  readonly nextTime: Date | null;
}

/** Somebody who is told of a job. */
export interface Recipient {
  readonly to: string;
  readonly sealedSecret?: string;
  /** Minutes or percent of the rule, for `waiting` and `processing`. */
  readonly limit: number | null;
}

/** A task that is named in an alert. */
export interface AlertTask {
  /** From 1; null for the step before the first task. */
  readonly position: number | null;
  /** Component, or host of its address. */
  readonly name: string;
  /** Why it failed; empty for one that runs. */
  readonly message: string;
  readonly advice: string;
}

/** A task as the database has it. */
export interface AlertTaskRow {
  readonly key: string;
  readonly runId: string;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: FailureRecord | null;
  /** Of the run that it started last. */
  readonly childError: FailureRecord | null;
  /** How many there are, also of those that were not read. */
  readonly total: number;
}

/** Everything that one alert says, whoever gets it and in whatever form. Texts of others are one line each already. */
export interface Facts {
  readonly channel: Channel;
  /** Minutes or percent, for `waiting` and `processing`. */
  readonly limit: number | null;
  readonly projectName: string;
  readonly job: AlertJob;
  readonly orchestrationName: string;
  readonly url: string | null;
  readonly initiator: string;
  /** Failed ones at the end, running ones of a job that is slow; the first that matter. */
  readonly tasks: readonly AlertTask[];
  readonly taskCount: number;
  readonly cause: string;
  readonly advice: string;
  /** What makes causes the same. */
  readonly causeKey: string;
  /** Jobs with the same cause that people were told of in the last hour. */
  readonly others: number;
  readonly now: Date;
}
