import type { Socket } from 'node:net';
import { Failure } from '../../../errors.ts';
import { takeBytes } from '../../kit/index.ts';
import type { PostgresConfig } from '../config.ts';
import { connect, type Connection } from '../connect.ts';
import { cancelledFailure, translateError } from '../failures.ts';
import { createInbox, type Inbox } from '../wire/inbox.ts';
import { parseServerError, queryMessage } from '../wire/messages.ts';
import { statusMessage, terminateMessage } from './messages.ts';

/** The log as the server streams it, on a connection of its own. */
export interface LogStream {
  /** What has arrived; the reader moves its start. */
  readonly inbox: Inbox;
  /** Waits until more has arrived, at most so many milliseconds; throws when the connection or the server failed. */
  more(milliseconds: number): Promise<void>;
  /** Tells the server how far we have read, and how much it may forget. */
  tell(progress: { received?: bigint; confirmed?: bigint; ask?: boolean }): void;
  /** Ends the stream; afterwards the slot is free. */
  close(): Promise<void>;
}

export interface StreamWork {
  readonly config: PostgresConfig;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** `START_REPLICATION …`. */
  readonly command: string;
  /** What the server may forget already. */
  readonly confirmed: bigint;
  /** Milliseconds after which the server gives up on a silent reader; 0 = never. */
  readonly senderTimeout: number;
}

/** Bytes that may wait to be read before no more are taken. */
const WAITING_BYTES = 2 * 1024 * 1024;
const STATUS_INTERVAL = 10_000;
const CLOSE_LIMIT = 5_000;

/** Opens the stream. Failures of the server to start it (slot missing, in use, …) come with `more`. */
export async function openStream(work: StreamWork): Promise<LogStream> {
  const connection = await connect(work.config, work.signal, { replication: true });
  const socket = connection.socket();
  if (socket.destroyed) throw connection.broken() ?? lost(work);
  const flow = startFlow(socket, connection, work);
  const progress = { received: 0n, confirmed: work.confirmed };
  const send = (ask = false): void => {
    if (flow.isStreaming() && !socket.destroyed) socket.write(statusMessage(progress, work.now(), ask));
  };
  // The server ends a session that is silent for long, also while a slow sink keeps us from reading.
  const interval = Math.min(STATUS_INTERVAL, work.senderTimeout > 0 ? work.senderTimeout / 3 : STATUS_INTERVAL);
  const timer = setInterval(send, Math.max(100, interval));
  socket.write(queryMessage(work.command));
  return {
    inbox: flow.inbox,
    more: flow.more,
    tell({ received, confirmed, ask }) {
      if (received !== undefined && received > progress.received) progress.received = received;
      const isNews = confirmed !== undefined && confirmed > progress.confirmed;
      if (isNews) progress.confirmed = confirmed;
      if (isNews || ask !== undefined) send(ask);
    },
    async close() {
      clearInterval(timer);
      flow.stop();
      if (socket.destroyed) return;
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      send();
      socket.end(terminateMessage);
      const late = setTimeout(() => connection.abandon(), CLOSE_LIMIT);
      await closed;
      clearTimeout(late);
    },
  };
}

interface Flow {
  readonly inbox: Inbox;
  more(milliseconds: number): Promise<void>;
  isStreaming(): boolean;
  stop(): void;
}

const COPY_BOTH = 0x57;
const COPY_DATA = 0x64;

function startFlow(socket: Socket, connection: Connection, work: StreamWork): Flow {
  const inbox = createInbox();
  let failure: Failure | undefined;
  let isStreaming = false;
  let arrived = false;
  let isFull = false;
  let isStopped = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    wake?.();
    wake = undefined;
  };
  const intake = takeBytes(socket, (bytes) => {
    if (isStopped) return;
    inbox.put(bytes);
    arrived = true;
    if (!isStreaming) isStreaming = begins(inbox);
    isFull = inbox.end - inbox.start > WAITING_BYTES;
    if (isFull) intake.pause();
    ring();
  });
  // What the server said before it hung up explains more than the hanging up.
  const onClose = (): void => {
    failure ??= serverFailure(inbox, work) ?? connection.broken() ?? lost(work);
    ring();
  };
  const onAbort = (): void => {
    failure = cancelledFailure();
    ring();
  };
  socket.once('close', onClose);
  work.signal.addEventListener('abort', onAbort, { once: true });
  return {
    inbox,
    isStreaming: () => isStreaming,
    async more(milliseconds) {
      if (!arrived && !failure) {
        if (isFull) intake.resume();
        isFull = false;
        const timer = setTimeout(ring, milliseconds);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        clearTimeout(timer);
      }
      if (work.signal.aborted) throw cancelledFailure();
      // All that came before the end is still to be read.
      if (failure && !arrived) throw failure;
      arrived = false;
    },
    // What still comes is dropped; the server reads our goodbye once it can write.
    stop() {
      isStopped = true;
      intake.resume();
      socket.off('close', onClose);
      work.signal.removeEventListener('abort', onAbort);
    },
  };
}

/** Takes what the server says before the log begins; true once it begins. */
function begins(inbox: Inbox): boolean {
  const { bytes, view } = inbox;
  while (inbox.end - inbox.start >= 5) {
    const type = bytes[inbox.start];
    const length = view.getUint32(inbox.start + 1) + 1;
    if (type === COPY_DATA || inbox.end - inbox.start < length) return false;
    // An error is left for the reader.
    if (type === 0x45) return false;
    inbox.start += length;
    if (type === COPY_BOTH) return true;
  }
  return false;
}

/** The error message that stands at the start of the inbox, if one does. */
export function serverFailure(inbox: Inbox, { config }: Pick<StreamWork, 'config'>): Failure | undefined {
  const { bytes, view, start, end } = inbox;
  if (end - start < 5 || bytes[start] !== 0x45) return undefined;
  const length = view.getUint32(start + 1) + 1;
  if (end - start < length) return undefined;
  return translateError(parseServerError(Buffer.from(bytes.subarray(start + 5, start + length))), config);
}

function lost({ config }: StreamWork): Failure {
  return new Failure(
    'connection_lost',
    `the connection to ${config.host}:${config.port} was lost while reading the log`,
  );
}
