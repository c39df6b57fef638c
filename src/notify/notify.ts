import type { Access } from '../access/index.ts';
import type { Config } from '../config.ts';
import type { Deliverer, Engine } from '../engine/index.ts';
import { Failure, toFailure } from '../errors.ts';
import type { Store, Transaction } from '../store/index.ts';
import type { World } from '../world.ts';
import { createMailer } from './mail.ts';
import { countOfCause, insertMessages, listMessages, queueAgain, readDelivery, readMessage } from './tables.ts';
import { recordTry, removeOldMessages } from './tables.ts';
import type { DeliveryRow } from './tables.ts';
import type { MessageState, NewMessage, Notify } from './types.ts';
import type { WebhookPayload } from './webhook.ts';

export interface NotifyOptions {
  readonly config: Pick<Config, 'smtpUrl' | 'mailFrom' | 'runsRetentionDays'>;
  readonly store: Store;
  readonly publish: Engine['publish'];
  readonly audit: Access['audit'];
  readonly world: Pick<World, 'reach'>;
  /** Posts to webhooks of orchestrations, as `createWebhookDeliverer` does. */
  readonly postWebhook: (message: {
    readonly id: string;
    readonly key: string;
    readonly topic: string;
    readonly payload: WebhookPayload;
    readonly attempt: number;
  }) => Promise<void>;
}

export interface OpenNotify extends Notify {
  readonly deliverers: Readonly<Record<string, Deliverer>>;
  /** Ends connections to the mail server. */
  close(): void;
}

const TOPIC = 'message';
/** Keboola contract 11.4: after the last, the message has failed. */
const RETRY_SECONDS = [5, 30, 120, 600, 3600];
const MOST_MESSAGES = 100_000;

/**
 * The room: messages are written with what they tell of, in one transaction, together with their place in the outbox.
 * A message that was sent is never sent again by itself; a crash between sending and noting it sends a mail with the
 * same Message-ID.
 */
export function createNotify(options: NotifyOptions): OpenNotify {
  const { store, config } = options;
  const mailer = config.smtpUrl === null ? undefined : createMailer(config.smtpUrl, config.mailFrom);
  const stateOf = ({ to }: NewMessage): MessageState => (isWebhook(to) || mailer !== undefined ? 'pending' : 'held');
  const queue = (tx: Transaction, id: number, sends: number): Promise<void> =>
    options.publish(tx, { key: `message/${id}/${sends}`, topic: TOPIC, payload: { id } });
  const post = async (row: DeliveryRow, attempt: number): Promise<void> => {
    if (!isWebhook(row.to)) return mailer!.send(row);
    const payload = {
      url: row.to,
      body: row.data,
      ...(row.sealedSecret !== null && { sealedSecret: row.sealedSecret }),
    };
    return options.postWebhook({ id: String(row.id), key: row.key, topic: TOPIC, payload, attempt });
  };
  const send = async (row: DeliveryRow, attempt: number): Promise<void> => {
    await post(row, attempt);
    options.world.reach('notify.sent');
  };
  return {
    async send(tx, messages) {
      if (messages.length === 0) return;
      for (const { id, state } of await insertMessages(tx, messages, stateOf))
        if (state === 'pending') await queue(tx, id, 1);
    },
    list: (query) => listMessages(store.db, query),
    async resend(project, id, by) {
      const message = await readMessage(store.db, project, id);
      if (message === undefined) throw new Failure('not_found', `Message ${id} not found`);
      if (!isWebhook(message.to) && mailer === undefined) {
        throw new Failure('conflict', 'There is no mail server: set PENSTOCK_SMTP_URL, then send the message again.');
      }
      return store.transaction(async (tx) => {
        const sends = await queueAgain(tx, project, id);
        if (sends === undefined) throw new Failure('conflict', `Message ${id} is on its way already`);
        await queue(tx, id, sends);
        await options.audit(tx, { ...by, action: 'send message again', project, subject: `message/${id}` });
        return (await readMessage(tx, project, id))!;
      });
    },
    countOfCause,
    purge: () => removeOldMessages(store.db, { days: config.runsRetentionDays, most: MOST_MESSAGES }),
    deliverers: {
      [TOPIC]: {
        retryDelaysSeconds: RETRY_SECONDS,
        isSlow: true,
        async deliver({ payload, attempt }) {
          const row = await readDelivery(store.db, (payload as { id: number }).id);
          if (row?.state !== 'pending') return;
          if (mailer !== undefined || isWebhook(row.to)) return deliver(store, row, { send, attempt });
          // The server was started again without its mail server.
          await recordTry(store.db, { id: row.id, state: 'held', error: null });
        },
      },
    },
    close: () => mailer?.close(),
  };
}

/** Sends, and keeps what became of it. A refusal for good ends the message at once; all else is thrown to be tried again. */
async function deliver(
  store: Store,
  row: DeliveryRow,
  { send, attempt }: { send: (row: DeliveryRow, attempt: number) => Promise<void>; attempt: number },
): Promise<void> {
  const { id } = row;
  try {
    await send(row, attempt);
  } catch (thrown) {
    const failure = toFailure(thrown);
    const isLast = attempt > RETRY_SECONDS.length || failure.kind === 'configuration_invalid';
    const error = failure.message.replaceAll('\0', '').slice(0, 2000);
    await recordTry(store.db, { id, state: isLast ? 'failed' : 'pending', error });
    if (isLast) return;
    throw failure;
  }
  await recordTry(store.db, { id, state: 'sent', error: null });
}

function isWebhook(to: string): boolean {
  return /^https?:\/\//i.test(to);
}
