import { toFailure } from '../errors.ts';
import type { EngineContext } from './context.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { claimMessages, findNextDue, markDelivered, markUndelivered } from './tables/outbox.ts';
import type { OutboxRow } from './tables/outbox.ts';
import type { Deliverer } from './types.ts';

const POLL_MS = 1000;
const BATCH = 20;
/** A delivery that takes longer has failed; shorter than the time for which nobody else takes the message. */
const DELIVERY_TIMEOUT_MS = 12_000;
const HOLD_SECONDS = 15;
const LONGEST_DELAY_SECONDS = 3600;
const GIVE_UP_SECONDS = 24 * 3600;

/**
 * Deliver due messages of the topics this process has a deliverer for, outside of any transaction. Topics that wait for
 * others have a sender each: a mail server that hangs holds back no deadline.
 */
export function startOutboxSenders(context: EngineContext): readonly Loop[] {
  const topics = Object.keys(context.deliverers);
  const slow = topics.filter((topic) => isSlow(context.deliverers[topic]!));
  const quick = topics.filter((topic) => !slow.includes(topic));
  const groups = [...(quick.length > 0 ? [quick] : []), ...slow.map((topic) => [topic])];
  return groups.map((group) => startOutboxSender(context, group));
}

function isSlow(deliverer: Deliverer): boolean {
  return typeof deliverer !== 'function' && deliverer.isSlow === true;
}

function startOutboxSender(context: EngineContext, topics: readonly string[]): Loop {
  const pass = async (): Promise<number> => {
    if ((await deliverDue(context, topics)) === BATCH) return 0;
    const seconds = (await findNextDue(context.store.db, topics)) ?? Infinity;
    return Math.max(10, Math.min(POLL_MS, seconds * 1000));
  };
  const onError = (error: unknown): void => {
    context.log('warn', 'the outbox could not be read; trying again', { error: String(error) });
  };
  const loop = startLoop(pass, { pauseMs: POLL_MS, onError });
  const stopListening = context.signals.on('outbox', loop.wake);
  return {
    wake: loop.wake,
    stop() {
      stopListening();
      return loop.stop();
    },
  };
}

/** Delivers what is due now, at most one batch; answers how many messages were tried. */
async function deliverDue(context: EngineContext, topics: readonly string[]): Promise<number> {
  const rows = await claimMessages(context.store.db, { topics, limit: BATCH, holdSeconds: HOLD_SECONDS });
  context.world.reach('engine.outbox-claimed');
  await Promise.all(rows.map((row) => deliver(context, row)));
  return rows.length;
}

async function deliver(context: EngineContext, row: OutboxRow): Promise<void> {
  const { id, attempt } = row;
  const deliverer = context.deliverers[row.topic]!;
  try {
    const message = { id, key: row.key, topic: row.topic, payload: row.payload, attempt };
    await withTimeout(typeof deliverer === 'function' ? deliverer(message) : deliverer.deliver(message));
  } catch (thrown) {
    const error = toFailure(thrown).message.replaceAll('\0', '');
    const retryInSeconds = delayOf(deliverer, row);
    context.metrics.outboxDelivered?.(row.topic, false);
    context.log('warn', 'a message could not be delivered', { key: row.key, attempt, error, retryInSeconds });
    await markUndelivered(context.store.db, { id, attempt, error, retryInSeconds });
    return;
  }
  context.world.reach('engine.outbox-delivered');
  context.metrics.outboxDelivered?.(row.topic, true);
  await markDelivered(context.store.db, { id, attempt });
}

/** Seconds until a message whose delivery failed is tried again; undefined = it is given up. */
function delayOf(deliverer: Deliverer, { attempt, ageSeconds }: OutboxRow): number | undefined {
  if (typeof deliverer !== 'function' && deliverer.retryDelaysSeconds !== undefined) {
    return deliverer.retryDelaysSeconds[attempt - 1];
  }
  const delay = Math.min(5 ** (attempt - 1), LONGEST_DELAY_SECONDS);
  return ageSeconds + delay > GIVE_UP_SECONDS ? undefined : delay;
}

async function withTimeout(delivery: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the delivery took too long')), DELIVERY_TIMEOUT_MS);
  });
  try {
    await Promise.race([delivery, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
