import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EVENT, parseEvent, type LogEvent } from './events.ts';
import { gtidList, mariadbGtid, mysqlGtid, previousGtids } from './gtid-events.ts';
import { addGtid, covers, encodeGtids, isPartOf, parseGtids, printGtids } from './gtids.ts';
import { comparePositions, parsePosition, positionFromState, positionToState, type LogFacts } from './position.ts';
import { dumpPacket } from './replica.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4e11fa47-71ca-11e1-9e33-c80aa9429562';
const ID = A.replaceAll('-', '');
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function event(type: number, body: Buffer, server = 0): LogEvent {
  const bytes = Buffer.alloc(19 + body.length);
  bytes[4] = type;
  bytes.writeUInt32LE(server, 5);
  body.copy(bytes, 19);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return parseEvent(bytes, view, { from: 0, end: bytes.length, checksum: false });
}

describe('sets of GTIDs', () => {
  it('are read and printed as MySQL does', () => {
    const text = `${A}:1-3:5:11-18,\n${B.toUpperCase()}:7`;
    assert.equal(printGtids(parseGtids(text)!), `${A}:1-3:5:11-18,${B}:7`);
    for (const wrong of [
      `${A}`,
      `${A}:0`,
      `${A}:5-3`,
      `${A}:tag:1-5`,
      `${A}:1,0-1-2`,
      '0-1-2-3',
      '0-1-99999999999999999999',
    ]) {
      assert.equal(parseGtids(wrong), undefined, wrong);
    }
  });

  it('grow by transactions in any order', () => {
    const gtids = parseGtids(`${A}:1-3`, 'mysql')!;
    for (const sequence of [4, 7, 6, 9, 8]) addGtid(gtids, { source: A, sequence, server: 0 });
    addGtid(gtids, { source: B, sequence: 1, server: 0 });
    assert.equal(printGtids(gtids), `${A}:1-4:6-9,${B}:1`);
    const domains = parseGtids('0-1-5,3-1-9')!;
    addGtid(domains, { source: '0', sequence: 6, server: 2 });
    addGtid(domains, { source: '3', sequence: 4, server: 2 });
    assert.equal(printGtids(domains), '0-2-6,3-1-9');
  });

  it('hold others whole or not', () => {
    const has = (a: string, b: string): boolean => covers(parseGtids(a)!, parseGtids(b)!);
    assert.ok(has(`${A}:1-9`, `${A}:2-3:9`));
    assert.ok(!has(`${A}:1-4:6-9`, `${A}:4-6`));
    assert.ok(!has(`${A}:1-9`, `${A}:1,${B}:1`));
    assert.ok(has('0-1-5,1-1-1', '0-2-5'));
    assert.ok(!has('0-1-5', '0-1-5,1-1-1'));
    assert.ok(has('0-1-5', ''));
  });

  it('are part of the history of a server only if it has what that server wrote', () => {
    assert.ok(isPartOf(parseGtids('0-1-5')!, '0-1-5,0-2-9'));
    assert.ok(!isPartOf(parseGtids('0-1-6')!, '0-1-5,0-2-9'));
    assert.ok(!isPartOf(parseGtids('0-3-1')!, '0-1-5,0-2-9'));
    assert.ok(isPartOf(parseGtids(`${A}:1-5`)!, `${A}:1-5,\n${B}:1`));
    assert.ok(!isPartOf(parseGtids(`${A}:1-5`)!, `${A}:1-4,${B}:1-9`));
  });
});

describe('events that carry GTIDs, as they are documented', () => {
  it('of MySQL', () => {
    const body = hex(`01 ${ID} 0500000000000000 02`);
    assert.deepEqual(mysqlGtid(event(EVENT.gtid, body)), { source: A, sequence: 5, server: 0 });
    const list = hex(
      `0100000000000000 ${ID} 0200000000000000 0100000000000000 0400000000000000 0600000000000000 0700000000000000`,
    );
    assert.equal(printGtids(previousGtids(event(EVENT.previousGtids, list))!), `${A}:1-3:6`);
    assert.equal(previousGtids(event(EVENT.previousGtids, list.subarray(0, 40))), undefined);
  });

  it('of MariaDB', () => {
    const body = hex('0700000001000000 03000000 00');
    assert.deepEqual(mariadbGtid(event(EVENT.mariadbGtid, body, 71)), {
      source: '3',
      sequence: 4_294_967_303,
      server: 71,
    });
    const list = hex('02000000 00000000 01000000 0500000000000000 00000000 02000000 0900000000000000');
    assert.equal(printGtids(gtidList(event(EVENT.mariadbGtidList, list))!), '0-2-9');
  });

  it('and the request of MySQL to read behind a set', () => {
    const behind = parseGtids(`${A}:1-3`)!;
    const set = `0100000000000000 ${ID} 0100000000000000 0100000000000000 0400000000000000`;
    assert.equal(encodeGtids(behind).toString('hex'), set.replaceAll(' ', ''));
    const connection = { server: { flavor: 'mysql' } } as Parameters<typeof dumpPacket>[0]['connection'];
    const packet = dumpPacket({ connection, behind, from: parsePosition('b.000001:9|x'), serverId: 77 });
    const head = '47000000 1e 0400 4d000000 00000000 0400000000000000 30000000';
    assert.equal(packet.toString('hex'), `${head} ${set}`.replaceAll(' ', ''));
  });
});

describe('the order of positions', () => {
  const at = (offset: number, server: string, gtids: string): string => `log.000001:${offset}|${server}|${gtids}`;

  it('is that of places on one server, and of GTIDs between two', () => {
    assert.ok(comparePositions(at(9, 'a', `${A}:1-5`), at(10, 'a', `${A}:1-5`)) < 0);
    assert.ok(comparePositions('log.000001:9', at(10, 'a', '')) < 0);
    assert.ok(comparePositions(at(9999, 'a', `${A}:1-5`), at(10, 'b', `${A}:1-6`)) < 0);
    assert.equal(comparePositions(at(9999, 'a', `${A}:1-5`), at(10, 'b', `${A}:1-5`)), 0);
    for (const [one, other] of [
      [at(1, 'a', `${A}:1-5`), at(1, 'b', `${B}:1-5`)],
      [at(1, 'a', '0-1-5,1-1-3'), at(1, 'b', '0-1-4,1-1-7')],
      ['log.000001:1|a', at(1, 'b', '0-1-4')],
    ] as const) {
      assert.throws(() => comparePositions(one, other), { kind: 'object_missing', message: /different servers/ });
    }
  });

  it('puts what cannot be read from any more before the start', () => {
    const start = at(4, 'b', `${A}:1-5`);
    const facts: LogFacts = { start: parsePosition(start), history: `${A}:1-20,${B}:1-3` };
    const order = (position: string): number => Math.sign(comparePositions(position, start, facts));
    assert.equal(order(at(900, 'a', `${A}:1-7`)), 1);
    assert.equal(order(at(900, 'a', `${A}:1-4`)), -1);
    assert.equal(order(at(900, 'a', `${A}:1-21`)), -1);
    assert.equal(order('log.000009:900|a'), -1);
    // Its own, but of a history that was taken back.
    assert.equal(order(at(900, 'b', `${A}:1-21`)), -1);
    assert.equal(order('log.000001:900'), 1);
  });

  it('survives the state file', () => {
    const position = at(9, 'a', `${A}:1-5`);
    const state = positionToState(position, 77);
    assert.deepEqual(state, {
      server_id: 77,
      state: { position: { Name: 'log.000001', Pos: 9 }, gtid_set: `${A}:1-5`, server: 'a' },
    });
    assert.equal(positionFromState(state), position);
  });
});
