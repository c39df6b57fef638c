import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, before, describe, it } from 'node:test';
import type { Socket } from 'node:net';
import { startTestMariadb, type TestMariadb } from '../../../../test/support/mariadb.ts';
import { collect } from '../../../../test/support/source.ts';
import type { ColumnType } from '../../../columns/index.ts';
import { takeBytes } from '../../kit/index.ts';
import { parseConfig } from '../config.ts';
import { connect, type Connection } from '../connect.ts';
import { selectRows, type AskedColumn } from './execute.ts';
import { createInbox, FULL_PACKET, putBytes, takeJoined } from './inbox.ts';

const { signal } = new AbortController();

let source: TestMariadb;

before(async () => {
  source = await startTestMariadb();
  await source.run(`create table mixed (id int primary key, a bigint, b varchar(400), c decimal(30,5), d datetime(6), e blob);
    insert into mixed values (1, -1, repeat('x', 300), -1.5, '2024-02-29 01:02:03.000004', x'00ff'), (2, null, null, null, null, null),
      (3, 9223372036854775807, '', 0, '0000-00-00', ''), (4, 0, 'é', 12345678901234567890.12345, '9999-12-31', repeat('y', 260))`);
});
after(() => source?.stop());

const asked = (wire: AskedColumn['wire'], type: ColumnType): AskedColumn => ({
  wire,
  column: { name: wire, type, nullable: true },
});

const WORK = {
  sql: 'select id, a, b, c, d, e from shop.mixed order by id',
  columns: [
    asked('integer', { kind: 'int' }),
    asked('integer', { kind: 'long' }),
    asked('text', { kind: 'string' }),
    asked('decimal', { kind: 'decimal', precision: 30, scale: 5 }),
    asked('date', { kind: 'timestamp' }),
    asked('bytes', { kind: 'string' }),
  ],
  key: [0],
};

/** A connection whose packets go to `write` instead of a server; the answers are emitted as `data` of its socket. */
function pretend(write: (packet: Buffer) => boolean): { connection: Connection; socket: Socket } {
  const quiet = { destroyed: false, pause: () => undefined, resume: () => undefined, write };
  const socket = Object.assign(new EventEmitter(), quiet) as unknown as Socket;
  const connection = { socket: () => socket, broken: () => undefined, exchange: { isOpen: false } } as Connection;
  return { connection, socket };
}

/** What the server answers to each packet that is written. */
async function record(): Promise<{ answers: Buffer[]; rows: readonly (readonly (string | null)[])[] }> {
  const config = parseConfig(source.config);
  const server = await connect(config, signal);
  const answers: Buffer[] = [];
  const { connection, socket } = pretend((packet) => {
    answers.push(Buffer.alloc(0));
    return server.socket().write(packet);
  });
  const intake = takeBytes(server.socket(), (bytes) => {
    const chunk = Buffer.from(bytes);
    answers.push(Buffer.concat([answers.pop() ?? chunk, chunk]));
    socket.emit('data', chunk);
  });
  const options = collect();
  await selectRows(connection, { ...WORK, options, place: config });
  intake.end();
  await server.close();
  return { answers: answers.slice(0, 2), rows: options.rows };
}

/** A connection whose socket answers with recorded bytes, cut in two at a place. */
function replay(answers: readonly Buffer[], cut: number, closes = false): Connection {
  let exchange = 0;
  const { connection, socket } = pretend(() => {
    const answer = answers[exchange++];
    if (!answer) return true;
    const at = Math.min(cut, answer.length);
    queueMicrotask(() => {
      for (const part of [answer.subarray(0, at), answer.subarray(at)]) {
        if (part.length > 0) socket.emit('data', part);
      }
      if (closes && exchange === answers.length) setImmediate(() => socket.emit('close'));
    });
    return true;
  });
  return connection;
}

describe('rows of the binary protocol', () => {
  it('are the same wherever the network cuts the bytes', async () => {
    const { answers, rows } = await record();
    assert.equal(rows.length, 4);
    assert.deepEqual(rows[0]?.slice(3), ['-1.50000', '2024-02-29T01:02:03.000004Z', 'AP8=']);
    const longest = Math.max(...answers.map((answer) => answer.length));
    for (let cut = 0; cut <= longest; cut++) {
      const options = collect();
      await selectRows(replay(answers, cut), { ...WORK, options, place: parseConfig(source.config) });
      assert.deepEqual(options.rows, rows, `cut at ${cut}`);
    }
  });

  it('end as a failure when the bytes are none that were promised', async () => {
    const { answers } = await record();
    const [prepared, rows] = answers as [Buffer, Buffer];
    for (let at = 0; at < rows.length; at += 7) {
      const wrong = Buffer.from(rows);
      wrong[at]! ^= 0xff;
      const options = collect();
      // Any end is right but a hanging one: wrong lengths wait for more, until the connection is closed.
      await selectRows(replay([prepared, wrong], 1e9, true), {
        ...WORK,
        options,
        place: parseConfig(source.config),
      }).catch((error: unknown) =>
        assert.match(String((error as { kind?: string }).kind), /internal|connection_lost|value_refused/),
      );
    }
  });
});

describe('a payload of several packets', () => {
  const packet = (length: number, fill: number): Buffer => {
    const bytes = Buffer.alloc(4 + length, fill);
    bytes.writeUIntLE(length, 0, 3);
    return bytes;
  };

  it('is put together, whatever pieces it comes in', () => {
    const inbox = createInbox();
    const stream = Buffer.concat([packet(FULL_PACKET, 1), packet(5, 2), packet(3, 3)]);
    let length: number | undefined;
    for (let at = 0; at < stream.length && length === undefined; at += 1_000_003) {
      putBytes(inbox, stream.subarray(at, at + 1_000_003));
      length = takeJoined(inbox, () => assert.fail('it is not too long'));
    }
    assert.equal(length, FULL_PACKET + 5);
    assert.deepEqual(
      [...inbox.bytes.subarray(inbox.start + FULL_PACKET - 1, inbox.start + length!)],
      [1, 2, 2, 2, 2, 2],
    );
    assert.deepEqual([...inbox.bytes.subarray(inbox.start + length! + 4, inbox.end)], [3, 3, 3]);
  });

  it('is dropped up to its end when it is too long, and what follows is read', () => {
    const inbox = createInbox(1000);
    let told = 0;
    const stream = Buffer.concat([packet(FULL_PACKET, 1), packet(FULL_PACKET, 2), packet(0, 0), packet(3, 3)]);
    for (let at = 0; at < stream.length; at += 3_000_017) {
      putBytes(inbox, stream.subarray(at, at + 3_000_017));
      if (told > 0 && inbox.payload.state === 'none') continue;
      assert.equal(
        takeJoined(inbox, () => told++),
        undefined,
      );
    }
    assert.equal(told, 1);
    assert.equal(inbox.payload.state, 'none');
    assert.deepEqual([...inbox.bytes.subarray(inbox.start, inbox.end)], [3, 0, 0, 3, 3, 3, 3]);
  });
});
