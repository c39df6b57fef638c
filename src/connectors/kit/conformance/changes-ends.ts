import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  inTransaction,
  keepChanges,
  logOf,
  streamAfter,
  type ChangePlace,
  type InChangeSession,
} from './changes-place.ts';
import { neverAborted } from './source-place.ts';

const signal = neverAborted;

/** How reads end: emptied tables, new columns, and a read that goes on until it is cancelled. */
export function endTests(session: InChangeSession, place: () => ChangePlace): void {
  it('stops before a table is emptied, says so once, and goes on behind it', async () => {
    await place().createTable('emptied');
    await place().createTable('beside');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const selections = [await select('beside'), await select('emptied')];
      const from = await log.end({ signal });
      await inTransaction(place(), ["insert into emptied values (1, 1, '')", "insert into beside values (1, 1, '')"]);
      await inTransaction(place(), ['truncate table emptied']);
      await inTransaction(place(), ["insert into emptied values (2, 1, '')", "insert into beside values (2, 1, '')"]);
      const upTo = await log.end({ signal });
      const read = async (position: string) => {
        const streams = selections.map((selection) => streamAfter(selection, position));
        const kept = keepChanges({ streams, from: position, upTo });
        const end = await log.read(kept);
        return { end, ids: kept.changes.map(({ stream, row }) => `${stream}:${row[0]}`), at: kept.boundaries.at(-1)! };
      };
      const first = await read(from);
      assert.deepEqual(first.end, { reason: 'truncated', streams: [1] });
      assert.deepEqual(first.ids.toSorted(), ['0:1', '1:1']);
      assert.equal(first.at.changes, 2, 'the last boundary is behind all that was handed over');
      const second = await read(first.at.position);
      assert.deepEqual(second.end, { reason: 'reached', streams: [] });
      assert.deepEqual(second.ids.toSorted(), ['0:2', '1:2']);
    });
  });

  it('stops before the changes of another table under the same name, and goes on with them', async () => {
    await place().createTable('reborn');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const selection = await select('reborn');
      const name = () => log.identify?.(selection, { signal });
      const first = await name();
      assert.equal(await name(), first);
      const from = await log.end({ signal });
      await inTransaction(place(), ["insert into reborn values (1, 1, '')"]);
      await inTransaction(place(), ['alter table reborn rename to reborn_before']);
      await place().createTable('reborn');
      assert.ok(first === undefined || (await name()) !== first);
      await inTransaction(place(), ["insert into reborn values (2, 1, '')"]);
      await inTransaction(place(), ["insert into reborn_before values (3, 1, '')"]);
      const upTo = await log.end({ signal });
      const rows: string[] = [];
      for (let position = from, told = false; ;) {
        const kept = keepChanges({ streams: [streamAfter(selection, position)], from: position, upTo });
        const { reason } = await log.read(kept);
        const ids = kept.changes.map(({ row }) => row[0] ?? '');
        assert.ok(told || !ids.includes('2'), 'a row of the other table came before it was told');
        rows.push(...ids);
        if (reason === 'reached') break;
        assert.equal(reason, 'replaced');
        told = true;
        position = kept.boundaries.at(-1)!.position;
      }
      assert.deepEqual(rows, ['1', '2']);
    });
  });

  it('stops before a transaction that brings new columns, and reads them with a new selection', async () => {
    await place().createTable('grown');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const old = await select('grown');
      const from = await log.end({ signal });
      await inTransaction(place(), ["insert into grown values (1, 1, '')"]);
      await inTransaction(place(), ['alter table grown add column extra varchar(20)']);
      await inTransaction(place(), ["insert into grown values (2, 1, '', 'new')"]);
      const upTo = await log.end({ signal });
      const first = keepChanges({ streams: [streamAfter(old, from)], from, upTo });
      assert.deepEqual(await log.read(first), { reason: 'columns changed', streams: [0] });
      assert.deepEqual(
        first.changes.map(({ row }) => row),
        [['1', '1', '']],
      );
      const { position } = first.boundaries.at(-1)!;
      const selection = await select('grown');
      const next = { streams: [streamAfter(selection, position)], from: position, upTo };
      const second = keepChanges(next);
      assert.deepEqual(await log.read(second), { reason: 'reached', streams: [] });
      assert.deepEqual(
        second.changes.map(({ row }) => row),
        [['2', '1', '', 'new']],
      );
      const again = keepChanges({ ...next, streams: [streamAfter(old, position)] });
      assert.equal((await log.read(again)).reason, 'reached', 'the same change is told once per session');
      assert.deepEqual(
        again.changes.map(({ row }) => row),
        [['2', '1', '']],
      );
    });
  });

  it('reads a column that is gone as null', async () => {
    await place().createTable('shrunk');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const selection = await select('shrunk');
      const from = await log.end({ signal });
      await inTransaction(place(), ["insert into shrunk values (1, 7, 'a')"]);
      await inTransaction(place(), ['alter table shrunk drop column version']);
      await inTransaction(place(), ["insert into shrunk values (2, 'b')"]);
      const upTo = await log.end({ signal });
      const kept = keepChanges({ streams: [streamAfter(selection, from)], from, upTo });
      assert.equal((await log.read(kept)).reason, 'reached');
      assert.deepEqual(
        kept.changes.map(({ row }) => row),
        [
          ['1', '7', 'a'],
          ['2', null, 'b'],
        ],
      );
    });
  });

  it('goes on until it is cancelled, hands over what arrives, and can be read again', async () => {
    await place().createTable('followed');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const stream = await select('followed');
      const from = await log.end({ signal });
      const control = new AbortController();
      const arrived = Promise.withResolvers<void>();
      const idle = Promise.withResolvers<void>();
      const work = { streams: [streamAfter(stream, from)], from };
      const kept = keepChanges({
        ...work,
        signal: control.signal,
        wantsBoundary: () => true,
        boundary: async (position) => {
          kept.boundaries.push({ position, changes: kept.changes.length });
          if (kept.changes.length > 0) arrived.resolve();
          idle.resolve();
        },
      });
      const reading = log.read(kept);
      const ended = reading.then(
        () => assert.fail('a read without an end must not end'),
        (error: unknown) => error,
      );
      const early = ended.then((error) => Promise.reject(error));
      await Promise.race([idle.promise, early]);
      await place().insert('followed', [{ id: 1, version: 1, note: 'while it reads' }]);
      await Promise.race([arrived.promise, early]);
      await log.acknowledge(kept.boundaries.at(-1)!.position, { signal });
      control.abort();
      early.catch(() => undefined);
      assert.equal(((await ended) as { kind?: string }).kind, 'cancelled');
      assert.deepEqual(
        kept.changes.map(({ row }) => row[2]),
        ['while it reads'],
      );
      const rest = keepChanges({
        streams: [streamAfter(stream, kept.boundaries.at(-1)!.position)],
        from: kept.boundaries.at(-1)!.position,
        upTo: await log.end({ signal }),
      });
      assert.equal((await log.read(rest)).reason, 'reached');
      assert.deepEqual(rest.changes, []);
    });
  });
}
