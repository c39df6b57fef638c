import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../../../errors.ts';
import type { CursorValues } from '../index.ts';
import { idsOf, inSession, keepAll, manyRows, neverAborted, readWhole } from './source-place.ts';
import type { SourceConformanceOptions, SourcePlace } from './source-place.ts';

export type { PlaceRow, SourceConformanceOptions, SourcePlace } from './source-place.ts';

const CURSOR = { column: 'version' };
const oneTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

/** Registers the tests that every source must pass. */
export function sourceConformance(name: string, options: SourceConformanceOptions): void {
  describe(`the ${name} source keeps the rules of every source`, () => {
    let place: SourcePlace;
    const session = <T>(work: Parameters<typeof inSession<T>>[1]): Promise<T> =>
      inSession({ connector: options.connector, config: place.config }, work);
    before(async () => {
      place = await options.openPlace();
    });
    after(() => place?.close());
    loadTests(session, () => place, options.hasSnapshot);
    cursorTests(session, () => place);
    endTests(session, () => place);
  });
}

type InSession = <T>(work: Parameters<typeof inSession<T>>[1]) => Promise<T>;

function loadTests(session: InSession, place: () => SourcePlace, hasSnapshot: boolean): void {
  it('discovers columns, key and modes', async () => {
    await place().createTable('shape');
    await session(async (opened) => {
      const found = (await opened.discover({ signal: neverAborted, threads: 1 })).find(({ name }) => name === 'shape');
      assert.deepEqual(found?.primaryKey, ['id']);
      assert.deepEqual(
        found.columns.map(({ name }) => name),
        ['id', 'version', 'note'],
      );
      assert.ok(found.modes.includes('full_refresh'));
    });
  });

  it('reads every row exactly once over all chunks, in batches within their bounds', async () => {
    await place().createTable('whole');
    await place().insert('whole', manyRows(1, 2500));
    await session(async (opened, select) => {
      const stream = await select('whole');
      const { rows, chunks } = await readWhole(opened, stream, 64 * 1024);
      assert.ok(chunks > 1, 'a small target makes several chunks');
      assert.deepEqual(idsOf(rows), oneTo(2500));
      const kept = keepAll({ batchRows: 7 });
      const plan = await opened.planLoad(stream, { targetBytes: 1 << 30, signal: neverAborted });
      for (const chunk of plan.chunks) await opened.readChunk(stream, { ...kept, chunk });
      assert.ok(Math.max(...kept.batches) <= 7);
      assert.equal(await opened.countRows(stream, { signal: neverAborted }), 2500);
    });
  });

  it('names the generation alike for the same table, and says whether rows were written since', async () => {
    await place().createTable('marked');
    await place().insert('marked', manyRows(1, 10));
    const plan = (): Promise<{ generation: string; changeMark: string | null }> =>
      session(async (opened, select) =>
        opened.planLoad(await select('marked'), { targetBytes: 1 << 30, signal: neverAborted }),
      );
    const unchanged = (mark: string): Promise<boolean> =>
      session(async (opened, select) => opened.isUnchangedSince(await select('marked'), mark));
    const first = await plan();
    assert.equal((await plan()).generation, first.generation);
    if (first.changeMark === null) return;
    assert.equal(await unchanged(first.changeMark), true);
    await place().setNote('marked', 3, 'changed');
    assert.equal(await unchanged(first.changeMark), false);
    const second = await plan();
    assert.equal(await unchanged(second.changeMark!), true);
    await place().insert('marked', manyRows(11, 11));
    assert.equal(await unchanged(second.changeMark!), false);
  });

  it('lets all readers of a load see one moment', { skip: !hasSnapshot }, async () => {
    await place().createTable('moment');
    await place().insert('moment', manyRows(1, 50));
    await session(async (opened, select) => {
      const stream = await select('moment');
      const plan = await opened.planLoad(stream, { targetBytes: 1 << 30, signal: neverAborted });
      await place().insert('moment', manyRows(51, 60));
      await place().remove('moment', 1);
      const kept = keepAll();
      for (const chunk of plan.chunks) await opened.readChunk(stream, { ...kept, chunk });
      assert.deepEqual(idsOf(kept.rows), oneTo(50));
      assert.equal(await opened.countRows(stream, { signal: neverAborted }), 50);
    });
  });

  it('fetches rows by key in the same texts as a load reads them', async () => {
    await place().createTable('texts');
    await place().insert('texts', [...manyRows(1, 5), { id: 6, version: null, note: null }]);
    await session(async (opened, select) => {
      const stream = await select('texts');
      const { rows } = await readWhole(opened, stream, 1 << 30);
      const fetched = await opened.fetchByKey(stream, [['2'], ['6'], ['99']]);
      const wanted = rows.filter(([id]) => id === '2' || id === '6');
      const byId = (a: readonly (string | null)[], b: readonly (string | null)[]): number =>
        Number(a[0]) - Number(b[0]);
      assert.deepEqual(fetched.map(({ values }) => [...values]).toSorted(byId), wanted.toSorted(byId));
    });
  });
}

function cursorTests(session: InSession, place: () => SourcePlace): void {
  it('reads after a cursor: ties again, nothing beyond the bound, in order', async () => {
    await place().createTable('follow');
    await place().insert('follow', [
      ...manyRows(1, 20),
      { id: 21, version: 20, note: 'tie' },
      { id: 22, version: null, note: '' },
    ]);
    await session(async (opened, select) => {
      const stream = await select('follow');
      const upTo = await opened.maxCursor(stream, CURSOR);
      assert.equal(upTo.primary, '20');
      const seen: CursorValues = { primary: '18', fallback: null };
      const kept = keepAll();
      await opened.readAfter(stream, { ...kept, cursor: CURSOR, after: seen, upTo });
      assert.deepEqual(
        kept.rows.map(([, version]) => version),
        ['18', '19', '20', '20'],
      );
      assert.deepEqual(idsOf(kept.rows), [18, 19, 20, 21]);
      assert.equal(
        await opened.countRows(stream, { upTo: { cursor: CURSOR, values: upTo }, signal: neverAborted }),
        22,
      );
    });
  });

  it('knows no largest value of an empty table', async () => {
    await place().createTable('bare');
    await session(async (opened, select) => {
      const stream = await select('bare');
      assert.deepEqual(await opened.maxCursor(stream, CURSOR), { primary: null, fallback: null });
      assert.deepEqual((await readWhole(opened, stream, 1 << 30)).rows, []);
    });
  });
}

function endTests(session: InSession, place: () => SourcePlace): void {
  it('ends a read with the failure of its sink', async () => {
    await place().createTable('sunk');
    await place().insert('sunk', manyRows(1, 500));
    await session(async (opened, select) => {
      const stream = await select('sunk');
      const [chunk] = (await opened.planLoad(stream, { targetBytes: 1 << 30, signal: neverAborted })).chunks;
      const full = new Failure('storage_failed', 'the disk is full');
      const sink = (): Promise<void> => Promise.reject(full);
      await assert.rejects(opened.readChunk(stream, { ...keepAll({ sink }), chunk: chunk! }), full);
    });
  });

  it('ends a read when it is cancelled, and leaves the session usable', async () => {
    await place().createTable('stopped');
    await place().insert('stopped', manyRows(1, 2000));
    await session(async (opened, select) => {
      const stream = await select('stopped');
      const [chunk] = (await opened.planLoad(stream, { targetBytes: 1 << 30, signal: neverAborted })).chunks;
      const control = new AbortController();
      const sink = async (): Promise<void> => control.abort(new Failure('cancelled', 'enough'));
      const read = opened.readChunk(stream, {
        ...keepAll({ sink, signal: control.signal, batchRows: 10 }),
        chunk: chunk!,
      });
      await assert.rejects(read, { kind: 'cancelled' });
      assert.equal((await readWhole(opened, stream, 1 << 30)).rows.length, 2000);
    });
  });
}
