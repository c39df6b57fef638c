import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createTakenSocket, takeBytes } from './index.ts';

/** Sends `length` numbered bytes for each `length\n` that it is asked for. */
let server: Server;

const numbered = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, at) => at % 251));

before(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (asked) => void socket.write(numbered(Number(String(asked)))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

after(() => server.close());

async function connected(): Promise<Socket> {
  const socket = createTakenSocket();
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Takes bytes until `length` of them have come. */
async function takeAll(socket: Socket, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  const intake = takeBytes(socket, (bytes) => {
    pieces.push(Buffer.from(bytes));
    arrived += bytes.length;
    if (arrived >= length) resolve();
  });
  socket.write(`${length}`);
  await promise;
  intake.end();
  return Buffer.concat(pieces);
}

it('serves the driver, then the taker, then the driver again, and loses no byte between', async () => {
  const socket = await connected();
  socket.write('5');
  const [first] = (await once(socket, 'data')) as [Buffer];
  assert.deepEqual(first, numbered(5));
  const bytes = await takeAll(socket, 3_000_000);
  assert.ok(bytes.equals(numbered(3_000_000)));
  socket.write('7');
  const [last] = (await once(socket, 'data')) as [Buffer];
  assert.deepEqual(last, numbered(7));
  socket.destroy();
});

it('holds the sender back while it is paused', async () => {
  const socket = await connected();
  let arrived = 0;
  const first = Promise.withResolvers<void>();
  const all = Promise.withResolvers<void>();
  const intake = takeBytes(socket, (bytes) => {
    if (arrived === 0) {
      intake.pause();
      first.resolve();
    }
    arrived += bytes.length;
    if (arrived === 8_000_000) all.resolve();
  });
  socket.write('8000000');
  await first.promise;
  const held = arrived;
  // Far longer than the wait for more bytes, which must not undo the pause.
  await delay(20);
  assert.equal(arrived, held);
  intake.resume();
  await all.promise;
  socket.destroy();
});

it('takes from a socket that was made elsewhere, too', async () => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const heard: Buffer[] = [];
  socket.on('data', (bytes) => heard.push(bytes));
  await once(socket, 'connect');
  const bytes = await takeAll(socket, 100_000);
  assert.ok(bytes.equals(numbered(100_000)));
  assert.equal(heard.length, 0);
  socket.write('3');
  while (heard.length === 0) await new Promise(setImmediate);
  assert.deepEqual(Buffer.concat(heard), numbered(3));
  socket.destroy();
});
