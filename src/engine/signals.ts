import { sql } from 'kysely';
import { keepPlan } from '../store/index.ts';
import type { Store, Transaction } from '../store/index.ts';
import type { RunRow } from './tables/rows.ts';

const CHANNEL = 'penstock_engine';
const GATHER_MS = 10;
/** What is due later than this is left to the poll. */
const LONGEST_TIMER_MS = 600_000;

/**
 * `queue`, `waiting`: a task of that queue may be claimed. `admit`: a lane (encoded) or a pool may have room. The others
 * carry a run's id, or nothing.
 */
export type Topic = 'queue' | 'waiting' | 'admit' | 'cancel' | 'run' | 'log' | 'outbox';

type Listener = (subject: string, run?: RunRow) => void;

/**
 * Wake-ups between the parts of one process and between processes. Speed only: a lost signal costs at most one polling
 * interval, so they are sent after the commit, many in one statement (a NOTIFY inside a transaction would make commits
 * queue behind each other).
 */
export interface Signals {
  /** Wakes listeners here at once, and in other processes shortly after. Only those here get the row of a run. */
  send(topic: Topic, subject?: string, run?: RunRow): void;
  /** Sends later, for what is due then. Forgotten when the process ends. */
  sendAfter(delayMs: number, topic: Topic, subject?: string): void;
  /** Sends with the commit of a transaction that the caller owns. */
  sendWith(tx: Transaction, topic: Topic, subject?: string): Promise<void>;
  on(topic: Topic, listener: Listener): () => void;
  stop(): Promise<void>;
}

/** Opens the engine's channel. `instance` tells our own notifications from those of other processes. */
export async function openSignals(store: Store, instance: string): Promise<Signals> {
  const listeners = new Map<Topic, Set<Listener>>();
  const pending = new Set<string>();
  let sending: Promise<void> | undefined;
  let isStopped = false;

  const dispatch = (topic: Topic, subject: string, run?: RunRow): void => {
    for (const listener of listeners.get(topic) ?? []) listener(subject, run);
  };
  const flush = async (): Promise<void> => {
    // One turn of the event loop gathers what happens together.
    await new Promise((resolve) => setImmediate(resolve));
    while (pending.size > 0) {
      const payloads = [...pending];
      pending.clear();
      await sql`${keepPlan}select pg_notify(${CHANNEL}, payload) from unnest(${payloads}::text[]) payload`
        .execute(store.db)
        .catch(() => undefined);
      // The first goes out at once; what follows closely is gathered.
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
    sending = undefined;
  };
  const send: Signals['send'] = (topic, subject = '', run) => {
    if (isStopped) return;
    dispatch(topic, subject, run);
    pending.add(`${instance} ${topic} ${subject}`);
    sending ??= flush();
  };
  const close = await store.listen(CHANNEL, (payload) => {
    const [origin, topic, subject = ''] = payload.split(' ');
    if (origin !== instance) dispatch(topic as Topic, subject);
  });
  return {
    send,
    sendAfter(delayMs, topic, subject) {
      if (delayMs <= LONGEST_TIMER_MS) setTimeout(send, delayMs, topic, subject).unref();
    },
    // From no instance: this process, too, hears of it only when it is committed.
    sendWith: (tx, topic, subject = '') => store.notify(tx, CHANNEL, `- ${topic} ${subject}`),
    on(topic, listener) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(listener));
      return () => set.delete(listener);
    },
    async stop() {
      isStopped = true;
      await close();
      await sending;
    },
  };
}

/**
 * Waits until `wake` is called or `timeoutMs` is over; a call while nobody waits makes the next wait return at once.
 */
export interface Waiter {
  wake(): void;
  wait(timeoutMs: number): Promise<void>;
}

export function createWaiter(): Waiter {
  let resolveWait: (() => void) | undefined;
  let isAwake = false;
  return {
    wake() {
      isAwake = true;
      resolveWait?.();
    },
    async wait(timeoutMs) {
      if (!isAwake) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          resolveWait = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        resolveWait = undefined;
      }
      isAwake = false;
    },
  };
}
