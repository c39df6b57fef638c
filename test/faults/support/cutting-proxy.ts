import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';

/** Passes connections on to a server, and breaks them on demand. */
export interface CuttingProxy {
  readonly port: number;
  /** Resets the first connection that has brought so many bytes of answers from now on; each later one passes. */
  cutAfter(bytes: number): void;
  /** How many connections it has broken. */
  readonly cuts: number;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: {
  readonly host: string;
  readonly port: number;
}): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let limit = Infinity;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(target);
    let passed = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    client.pipe(upstream);
    upstream.on('data', (piece) => {
      passed += piece.length;
      if (passed <= limit) return void client.write(piece);
      limit = Infinity;
      cuts++;
      client.resetAndDestroy();
      upstream.destroy();
    });
    upstream.once('end', () => client.end()).once('error', () => client.destroy());
    client.once('close', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cutAfter: (bytes) => void (limit = bytes),
    get cuts() {
      return cuts;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
