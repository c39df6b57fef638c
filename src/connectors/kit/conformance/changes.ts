import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../../../errors.ts';
import type { LogPosition } from '../changes.ts';
import type { StreamSelection } from '../index.ts';
import {
  applyChanges,
  inTransaction,
  keepChanges,
  logOf,
  streamAfter,
  type ChangeLogConformanceOptions,
  type ChangePlace,
  type InChangeSession,
  type KeptChange,
} from './changes-place.ts';
import { endTests } from './changes-ends.ts';
import { handOverTests } from './changes-hand-over.ts';
import { inSession, neverAborted } from './source-place.ts';

export type { ChangeLogConformanceOptions, ChangePlace, PlaceTransaction } from './changes-place.ts';

const signal = neverAborted;

/** Registers the tests that every source with a change log must pass. */
export function changeLogConformance(name: string, options: ChangeLogConformanceOptions): void {
  describe(`the change log of the ${name} source keeps the rules of every change log`, () => {
    let place: ChangePlace;
    const session: InChangeSession = (work) => inSession({ connector: options.connector, config: place.config }, work);
    before(async () => {
      place = await options.openPlace();
    });
    after(() => place?.close());
    changeTests(session, () => place);
    handOverTests(session, () => place, options.isExact);
    boundaryTests(session, () => place);
    positionTests(session, () => place);
    endTests(session, () => place);
  });
}

interface Happening {
  readonly table: string;
  readonly work: () => Promise<void>;
  readonly narrow?: (selection: StreamSelection) => StreamSelection;
}

/** Reads what happens to the table while `work` runs, from before it to after it. */
async function changesDuring(session: InChangeSession, happening: Happening): Promise<KeptChange[]> {
  const { table, work, narrow = (selection) => selection } = happening;
  return session(async (opened, select) => {
    const log = logOf(opened);
    const selection = narrow(await select(table));
    await log.check([selection], { signal });
    const from = await log.end({ signal });
    await work();
    const upTo = await log.end({ signal });
    const changes: KeptChange[] = [];
    for (let position = from; ;) {
      const kept = keepChanges({ streams: [streamAfter(selection, position)], from: position, upTo });
      const { reason } = await log.read(kept);
      changes.push(...kept.changes);
      if (reason === 'reached') return changes;
      // A narrow selection lacks columns on purpose: that is told once.
      assert.equal(reason, 'columns changed');
      position = kept.boundaries.at(-1)!.position;
    }
  });
}

const short = ({ operation, row }: KeptChange): string => `${operation} ${row.slice(0, 3).join('|')}`;

function changeTests(session: InChangeSession, place: () => ChangePlace): void {
  it('offers the modes that read it', async () => {
    await place().createTable('offered');
    await session(async (opened) => {
      const found = (await opened.discover({ signal, threads: 1 })).find((stream) => stream.name === 'offered');
      assert.deepEqual([...(found?.modes ?? [])].toSorted(), ['cdc', 'full_refresh', 'incremental', 'strict_cdc']);
    });
  });

  it('tells what happened to each row, in order, when, and where in the log', async () => {
    await place().createTable('told');
    const start = Date.now();
    const changes = await changesDuring(session, {
      table: 'told',
      work: async () => {
        await place().insert('told', [
          { id: 1, version: 1, note: 'one' },
          { id: 2, version: null, note: null },
        ]);
        await place().setNote('told', 1, 'ünë');
        await place().remove('told', 2);
        await place().setNote('told', 1, '');
      },
    });
    assert.deepEqual(
      changes.map(({ operation, row }) => [operation, row[0], operation === 'deleted' ? null : row[2]]),
      [
        ['inserted', '1', 'one'],
        ['inserted', '2', null],
        ['updated', '1', 'ünë'],
        ['deleted', '2', null],
        ['updated', '1', ''],
      ],
    );
    assert.equal(changes[2]!.row[1], '1', 'values that the update did not change');
    for (const { committedAt, places } of changes) {
      const time = Date.parse(committedAt ?? '');
      assert.ok(time >= start - 2000 && time <= Date.now() + 2000, `committed at ${committedAt}`);
      assert.ok(places.every((one) => one !== null));
    }
    await session(async (opened) => assert.equal(changes[0]!.places.length, logOf(opened).columns.length));
  });

  it('tells a changed key as a deleted and an inserted row', async () => {
    await place().createTable('rekeyed');
    await place().insert('rekeyed', [{ id: 1, version: 5, note: 'same' }]);
    const changes = await changesDuring(session, {
      table: 'rekeyed',
      work: () => inTransaction(place(), ['update rekeyed set id = 2 where id = 1']),
    });
    assert.deepEqual(
      changes.map(({ operation, row }) => [operation, row[0]]),
      [
        ['deleted', '1'],
        ['inserted', '2'],
      ],
    );
    assert.equal(short(changes[1]!), 'inserted 2|5|same');
  });

  it('leaves out what was rolled back, also to a savepoint', async () => {
    await place().createTable('undone');
    const changes = await changesDuring(session, {
      table: 'undone',
      work: async () => {
        const lost = await place().begin();
        await lost.run("insert into undone values (1, 1, 'lost')");
        await lost.rollback();
        await inTransaction(place(), [
          "insert into undone values (2, 2, 'kept')",
          'savepoint here',
          "insert into undone values (3, 3, 'lost')",
          'rollback to savepoint here',
          "insert into undone values (4, 4, 'kept')",
        ]);
      },
    });
    assert.deepEqual(changes.map(short), ['inserted 2|2|kept', 'inserted 4|4|kept']);
  });

  it('lets a row that leaves the filter be deleted, and one that enters it appear', async () => {
    await place().createTable('sieved');
    const changes = await changesDuring(session, {
      table: 'sieved',
      work: () =>
        inTransaction(place(), [
          "insert into sieved values (1, 10, 'in'), (2, 1, 'out'), (3, 10, 'in'), (4, null, 'out')",
          'update sieved set version = 1 where id = 1',
          'update sieved set version = 10 where id = 2',
          "update sieved set note = 'still' where id = 3",
          'update sieved set version = 11 where id = 4',
          'delete from sieved where id = 4',
        ]),
      narrow: (selection) => ({
        ...selection,
        columns: selection.columns.filter(({ name }) => name !== 'version'),
        filter: { combine: 'and', conditions: [{ column: 'version', operator: '>', value: 5 }] },
      }),
    });
    assert.deepEqual(applyChanges([], changes, false), [
      ['3', 'still'],
      ['2', 'out'],
    ]);
    for (const { operation, row } of changes) {
      assert.ok(operation === 'deleted' || ['1', '2', '3', '4'].includes(row[0] ?? ''));
    }
    const ones = changes.filter(({ row }) => row[0] === '1').map(({ operation }) => operation);
    assert.deepEqual(ones, ['inserted', 'deleted']);
  });
}

function boundaryTests(session: InChangeSession, place: () => ChangePlace): void {
  it('sets boundaries only between transactions, in commit order, and goes on from each with exactly the rest', async () => {
    await place().createTable('steps');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const stream = await select('steps');
      const from = await log.end({ signal });
      const slow = await place().begin();
      await slow.run("insert into steps values (100, 1, 'slow'), (101, 1, 'slow')");
      for (let turn = 0; turn < 3; turn++) {
        await inTransaction(place(), [
          `insert into steps values (${turn}, 1, 'a')`,
          `update steps set note = 'b' where id = ${turn}`,
        ]);
      }
      await slow.run("insert into steps values (102, 1, 'slow')");
      await slow.commit();
      const upTo = await log.end({ signal });
      const read = async (position: LogPosition) => {
        const kept = keepChanges({ streams: [streamAfter(stream, position)], from: position, upTo, batchRows: 1 });
        await log.read(kept);
        return kept;
      };
      const whole = await read(from);
      assert.deepEqual(
        whole.changes.map(({ row }) => row[0]),
        ['0', '0', '1', '1', '2', '2', '100', '101', '102'],
      );
      const counts = whole.boundaries.map(({ changes }) => changes);
      assert.ok(
        counts.every((count) => [0, 2, 4, 6, 9].includes(count)),
        `boundaries after ${counts.join(', ')} changes`,
      );
      assert.deepEqual(
        [2, 4, 6].filter((count) => !counts.includes(count)),
        [],
        'a boundary wherever one is wanted',
      );
      const positions = whole.boundaries.map(({ position }) => position);
      for (const [at, position] of positions.entries()) {
        if (at > 0) assert.ok(log.compare(positions[at - 1]!, position) <= 0, 'positions only grow');
      }
      assert.ok(log.compare(positions.at(-1)!, upTo) >= 0, 'the last boundary lies at the end that was asked for');
      for (const { position, changes } of whole.boundaries) {
        const rest = await read(position);
        assert.deepEqual(rest.changes.map(short), whole.changes.slice(changes).map(short));
      }
    });
  });

  it('keeps a big transaction whole, in batches within their bounds', async () => {
    await place().createTable('big');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const stream = await select('big');
      const from = await log.end({ signal });
      const open = await place().begin();
      for (let block = 0; block < 20; block++) {
        const rows = Array.from({ length: 500 }, (_, at) => `(${block * 500 + at}, ${block}, '${'x'.repeat(100)}')`);
        await open.run(`insert into big values ${rows.join(', ')}`);
        if (block === 10) await inTransaction(place(), ["insert into big values (-1, 0, 'meanwhile')"]);
      }
      await open.commit();
      const upTo = await log.end({ signal });
      const kept = keepChanges({ streams: [streamAfter(stream, from)], from, upTo, batchRows: 300 });
      await log.read(kept);
      assert.equal(kept.changes.length, 10_001);
      assert.deepEqual(
        kept.changes.slice(1).map(({ row }) => Number(row[0])),
        Array.from({ length: 10_000 }, (_, id) => id),
      );
      assert.equal(kept.changes[0]!.row[0], '-1');
      assert.ok(kept.batches.every((rows) => rows > 0 && rows <= 300));
      assert.ok(kept.boundaries.every(({ changes }) => [0, 1, 10_001].includes(changes)));
    });
  });

  it('leaves out for each stream what it knows already', async () => {
    await place().createTable('near');
    await place().createTable('far');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const [near, far] = [await select('near'), await select('far')];
      const from = await log.end({ signal });
      await inTransaction(place(), ["insert into near values (1, 1, '')", "insert into far values (1, 1, '')"]);
      const later = await log.end({ signal });
      await inTransaction(place(), ["insert into near values (2, 1, '')", "insert into far values (2, 1, '')"]);
      const upTo = await log.end({ signal });
      const kept = keepChanges({ streams: [streamAfter(near, from), streamAfter(far, later)], from, upTo });
      await log.read(kept);
      const ids = (stream: number) => kept.changes.filter((one) => one.stream === stream).map(({ row }) => row[0]);
      assert.deepEqual([ids(0), ids(1)], [['1', '2'], ['2']]);
    });
  });
}

function positionTests(session: InChangeSession, place: () => ChangePlace): void {
  it('writes positions into a state and reads them back; other states are no positions', async () => {
    await session(async (opened) => {
      const log = logOf(opened);
      const end = await log.end({ signal });
      assert.equal(log.fromState(JSON.parse(JSON.stringify(log.toState(end)))), end);
      for (const other of [undefined, null, {}, [], 'x', { lsn: 5 }, { state: {} }]) {
        assert.equal(log.fromState(other), undefined);
      }
      assert.equal(log.compare(end, end), 0);
    });
  });

  it('lets the source forget only what was acknowledged, and never goes back', async () => {
    await place().createTable('forgotten');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const stream = await select('forgotten');
      const first = await log.end({ signal });
      assert.ok(log.compare(await log.start({ signal }), first) <= 0);
      await place().insert('forgotten', [{ id: 1, version: 1, note: '' }]);
      const read = async (from: LogPosition) => {
        const kept = keepChanges({ streams: [streamAfter(stream, from)], from, upTo: await log.end({ signal }) });
        await log.read(kept);
        return kept;
      };
      const { position } = (await read(first)).boundaries.at(-1)!;
      await log.acknowledge(position, { signal });
      const start = await log.start({ signal });
      assert.ok(log.compare(start, position) <= 0, 'not beyond what was acknowledged');
      await log.acknowledge(first, { signal });
      assert.equal(log.compare(await log.start({ signal }), start), 0, 'an earlier position changes nothing');
      await place().insert('forgotten', [{ id: 2, version: 2, note: '' }]);
      assert.deepEqual(
        (await read(position)).changes.map(({ row }) => row[0]),
        ['2'],
      );
    });
  });

  it('ends at once when there is nothing to read', async () => {
    await place().createTable('idle');
    const changes = await changesDuring(session, { table: 'idle', work: async () => undefined });
    assert.deepEqual(changes, []);
  });

  it('ends a read with the failure of its sink, and reads the same again', async () => {
    await place().createTable('failing');
    await session(async (opened, select) => {
      const log = logOf(opened);
      const stream = await select('failing');
      const from = await log.end({ signal });
      await place().insert('failing', [{ id: 1, version: 1, note: '' }]);
      const upTo = await log.end({ signal });
      const full = new Failure('storage_failed', 'the disk is full');
      const work = { streams: [streamAfter(stream, from)], from, upTo };
      await assert.rejects(log.read(keepChanges({ ...work, sink: () => Promise.reject(full) })), full);
      await assert.rejects(log.read(keepChanges({ ...work, boundary: () => Promise.reject(full) })), full);
      const kept = keepChanges(work);
      await log.read(kept);
      assert.equal(kept.changes.length, 1);
    });
  });
}
