import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  applyChanges,
  inTransaction,
  keepChanges,
  logOf,
  streamAfter,
  type ChangePlace,
  type InChangeSession,
} from './changes-place.ts';
import { neverAborted, readWhole } from './source-place.ts';

const signal = neverAborted;

/** From the load of a table to its changes. */
export function handOverTests(session: InChangeSession, place: () => ChangePlace, isExact: boolean): void {
  it('hands over from a load to the log without gap or overlap while others write', async () => {
    await place().createTable('busy');
    await place().insert(
      'busy',
      Array.from({ length: 200 }, (_, id) => ({ id, version: 0, note: 'before' })),
    );
    const open = await place().begin();
    await open.run("insert into busy values (9000, 0, 'open before, committed after')");
    const writers = [1, 2, 3].map((number) => startWriter(place(), number));
    try {
      await session(async (opened, select) => {
        const stream = await select('busy');
        const log = logOf(opened);
        await Promise.all(writers.map((writer) => writer.reached(3)));
        const mark = await log.mark({ signal });
        await open.commit();
        const load = await readWhole(opened, stream, 1 << 30);
        const counts = writers.map((writer) => writer.count());
        await Promise.all(writers.map((writer, at) => writer.reached(counts[at]! + 3)));
        await Promise.all(writers.map((writer) => writer.stop()));
        const upTo = await log.end({ signal });
        const streams = [streamAfter(stream, mark.position, mark.seen)];
        const kept = keepChanges({ streams, from: mark.position, upTo });
        assert.equal((await log.read(kept)).reason, 'reached');
        const final = await session(async (later) => (await readWhole(later, stream, 1 << 30)).rows);
        assert.deepEqual(sorted(applyChanges(load.rows, kept.changes, isExact)), sorted(final));
        assert.ok(kept.changes.some(({ row }) => row[0] === '9000') || !isExact);
      });
    } finally {
      await Promise.all(writers.map((writer) => writer.stop()));
    }
  });
}

const sorted = (rows: readonly (readonly (string | null)[])[]): string[] => rows.map((row) => row.join('|')).toSorted();

/** Writes in rows of its own, one transaction after the other, until it is stopped. */
function startWriter(place: ChangePlace, number: number) {
  let count = 0;
  const stop = new AbortController();
  let failure: unknown;
  const waiting = new Set<() => void>();
  const work = async (): Promise<void> => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const id = number * 1000 + turn;
      await inTransaction(place, [
        `insert into busy values (${id}, ${turn}, 'first')`,
        `update busy set version = version + 1 where id = ${number}`,
        `update busy set note = 'second' where id = ${id}`,
        `delete from busy where id = ${turn % 4 === 3 ? id - 2 : -1}`,
      ]);
      count++;
      for (const look of waiting) look();
    }
  };
  const done = work().catch((error: unknown) => {
    failure = error;
    for (const look of waiting) look();
  });
  return {
    count: () => count,
    reached: (wanted: number) =>
      new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (failure === undefined && count < wanted) return;
          waiting.delete(look);
          if (failure === undefined) resolve();
          else reject(failure);
        };
        waiting.add(look);
        look();
      }),
    stop: async () => {
      stop.abort();
      await done;
      if (failure !== undefined) throw failure;
    },
  };
}
