import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { PoolClient } from 'pg';

/** What the driver's connection offers beyond its published types. */
interface CopyConnection {
  readonly stream: Duplex;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(reason: string): void;
}

const PIECE_BYTES = 65_536;

/** The parts of a statement that the driver tells of; it passes more, which COPY does not need. */
interface CopyStatement {
  submit(connection: unknown): void;
  handleError(error: Error): void;
  handleReadyForQuery(): void;
  handleCommandComplete(message: { text: string }): void;
  handleCopyInResponse?(connection: CopyConnection): void;
  handleCopyData?(message: { chunk: Buffer }, connection: CopyConnection): void;
}

const rowsOf = (tag: string): number => Number(/^COPY (\d+)/.exec(tag)?.[1] ?? 0);

/**
 * Runs `COPY … TO STDOUT` and hands its bytes to `write` in pieces; reads no further while `write` is pending, so
 * memory stays bounded. Answers the number of rows. After an error the connection must be thrown away.
 */
export function copyOut(client: PoolClient, text: string, write: (piece: Buffer) => Promise<void>): Promise<number> {
  return new Promise((resolve, reject) => {
    let rows = 0;
    let gathered: Buffer[] = [];
    let size = 0;
    let written = Promise.resolve();
    const flush = (): Promise<void> => {
      const piece = Buffer.concat(gathered, size);
      gathered = [];
      size = 0;
      if (piece.length > 0) written = written.then(() => write(piece));
      return written;
    };
    const statement: CopyStatement = {
      submit: (connection) => (connection as CopyConnection).query(text),
      handleError: reject,
      handleCommandComplete: (message) => (rows = rowsOf(message.text)),
      handleReadyForQuery: () => void flush().then(() => resolve(rows), reject),
      handleCopyData({ chunk }, { stream }) {
        // The driver reuses its buffer.
        gathered.push(Buffer.from(chunk));
        size += chunk.length;
        if (size < PIECE_BYTES) return;
        stream.pause();
        flush().then(() => stream.resume(), reject);
      },
    };
    client.query(statement);
  });
}

/**
 * Runs `COPY … FROM STDIN` with the bytes of `pieces`, taken no faster than the server takes them. Answers the number
 * of rows. When `pieces` fails, the statement fails with that error and nothing of it is kept.
 */
export function copyIn(client: PoolClient, text: string, pieces: AsyncIterable<Buffer>): Promise<number> {
  return new Promise((resolve, reject) => {
    let rows = 0;
    let failure: Error | undefined;
    let refused = false;
    const feed = async (connection: CopyConnection): Promise<void> => {
      for await (const piece of pieces) {
        if (refused) return;
        connection.sendCopyFromChunk(piece);
        if (connection.stream.writableNeedDrain) await once(connection.stream, 'drain');
      }
      connection.endCopyFrom();
    };
    const statement: CopyStatement = {
      submit: (connection) => (connection as CopyConnection).query(text),
      handleError(error) {
        refused = true;
        reject(failure ?? error);
      },
      handleCommandComplete: (message) => (rows = rowsOf(message.text)),
      handleReadyForQuery: () => resolve(rows),
      handleCopyInResponse(connection) {
        feed(connection).catch((error: Error) => {
          failure = error;
          connection.sendCopyFail('the data ended early');
        });
      },
    };
    client.query(statement);
  });
}
