import type { Actor } from '../access/index.ts';
import type { Transaction } from '../store/index.ts';

/** What is to be told to one recipient: an e-mail address, or the https address of a webhook. */
export interface NewMessage {
  /** Of event and recipient: a second message with the same key is dropped. */
  readonly key: string;
  readonly project: string;
  readonly orchestrationId: number;
  /** Number of the job. */
  readonly jobId: number;
  readonly channel: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Messages of one cause are one group. */
  readonly cause: string;
  /** For webhooks: the body. */
  readonly data: unknown;
  /** For webhooks: the sealed secret that signs the body. */
  readonly sealedSecret?: string;
}

export type MessageState = 'pending' | 'sent' | 'failed' | 'held';

/** A message as people see it (keboola contract 11.4). */
export interface MessageView extends Omit<NewMessage, 'key' | 'html' | 'data' | 'sealedSecret'> {
  readonly id: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly createdTime: Date;
  readonly sentTime: Date | null;
}

export interface MessageQuery {
  readonly project: string;
  readonly jobId?: number;
  readonly orchestrationId?: number;
  readonly state?: MessageState;
  readonly cause?: string;
  readonly limit: number;
  readonly offset: number;
}

/** Messages to people: kept, delivered afterwards at least once, shown with what became of them. */
export interface Notify {
  /** In the transaction of the change that is told of. Without a transport a mail is `held`. */
  send(tx: Transaction, messages: readonly NewMessage[]): Promise<void>;
  /** Newest first, with the total. */
  list(query: MessageQuery): Promise<{ readonly messages: readonly MessageView[]; readonly total: number }>;
  /** Puts a message that is not under way into the outbox again, and says so in the audit. `not_found`; `conflict` while it is pending. */
  resend(project: string, id: number, by: Actor): Promise<MessageView>;
  /** Of how many jobs there were messages of this cause in the last hour. */
  countOfCause(tx: Transaction, project: string, cause: string): Promise<number>;
  /** Removes messages past their time and beyond the cap. */
  purge(): Promise<void>;
}
