import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Failure } from '../../../errors.ts';
import { createWorld } from '../../../world.ts';
import type { CommitGuard, DestinationSession } from '../index.ts';
import type { ConformanceOptions, DestinationPlace } from './destination-place.ts';
import { loadPlace } from './destination-place.ts';
import { batchOf, checkpointOf, conformanceColumns, conformanceTable, rowsFrom, wordsOf } from './destination-rows.ts';
import { story, tellStory, visibleAfter } from './destination-story.ts';

export type { ConformanceOptions, DestinationPlace, OpenPlace } from './destination-place.ts';

const { name: tableName } = conformanceTable();

interface Bench {
  readonly folder: string;
  readonly place: DestinationPlace;
  open(guard?: CommitGuard, onPoint?: (point: string) => void): Promise<DestinationSession>;
  words(): Promise<string[]>;
  /** At rest what a reader finds is what the table lists. */
  assertTidy(): Promise<void>;
}

/** A fresh place for one test; everything goes when the test ends. */
async function setUp(context: TestContext, options: ConformanceOptions): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'destination-conformance-'));
  const place = await loadPlace(options.place.href, folder);
  const sessions: DestinationSession[] = [];
  context.after(async () => {
    for (const session of sessions) await session.close();
    await place.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    folder,
    place,
    async open(guard = async () => {}, onPoint) {
      const session = await place.open({ world: createWorld({ onPoint }), guard });
      sessions.push(session);
      return session;
    },
    words: async () => wordsOf(await place.readRows(tableName)),
    async assertTidy() {
      const { found, listed } = await place.listFiles(tableName);
      assert.deepEqual(found, listed);
    },
  };
}

/** Registers the tests that every destination must pass. */
export function destinationConformance(name: string, options: ConformanceOptions): void {
  describe(`the ${name} destination keeps the rules of every destination`, () => {
    commitTests(options);
    tableTests(options);
    ownershipTests(options);
    crashTests(options);
  });
}

function commitTests(options: ConformanceOptions): void {
  it('appended rows appear with the commit, not before, and the checkpoint with them', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    assert.equal(table.checkpoint, undefined);
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 5, 'w')));
    await unit.write(batchOf(rowsFrom(5, 5, 'w')));
    assert.equal(unit.rows, 10);
    assert.deepEqual(await bench.words(), []);
    const durable = await unit.commit('append', checkpointOf(1));
    assert.deepEqual([durable.rows, durable.tableRows], [10, 10]);
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 10, 'w')));
    await table.close();
    const again = await (await bench.open()).openTable(conformanceTable());
    assert.deepEqual([again.checkpoint, again.rows], [checkpointOf(1), 10]);
    await again.close();
    await bench.assertTidy();
  });

  it('a commit without rows moves the checkpoint', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    await table.beginUnit().commit('append', checkpointOf(1));
    await table.close();
    const again = await (await bench.open()).openTable(conformanceTable());
    assert.deepEqual([again.checkpoint, again.rows], [checkpointOf(1), 0]);
    await again.close();
  });

  it(options.upserts ? 'an upsert replaces older rows of its keys' : 'an upsert adds rows', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const load = table.beginUnit();
    await load.write(batchOf(rowsFrom(0, 6, 'old')));
    await load.commit('append', checkpointOf(1));
    const changes = table.beginUnit();
    await changes.write(batchOf(rowsFrom(4, 2, 'mid')));
    await changes.write(batchOf(rowsFrom(4, 4, 'new')));
    await changes.commit('upsert', checkpointOf(2));
    const expected = options.upserts
      ? [...rowsFrom(0, 4, 'old'), ...rowsFrom(4, 4, 'new')]
      : [...rowsFrom(0, 6, 'old'), ...rowsFrom(4, 2, 'mid'), ...rowsFrom(4, 4, 'new')];
    assert.deepEqual(await bench.words(), wordsOf(expected));
    await table.close();
  });

  it('what is staged stays invisible until it replaces the whole table in one commit', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    const first = await session.openTable(conformanceTable());
    const load = first.beginUnit();
    await load.write(batchOf(rowsFrom(0, 6, 'old')));
    await load.commit('append', checkpointOf(1));
    const stage = first.beginUnit();
    await stage.write(batchOf(rowsFrom(10, 3, 'new')));
    assert.equal((await stage.commit('stage', checkpointOf(2))).tableRows, 6);
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 6, 'old')));
    await first.close();
    await bench.assertTidy();

    const second = await (await bench.open()).openTable(conformanceTable({ run: 'r_later' }));
    assert.equal(second.checkpoint?.seq, 2);
    const more = second.beginUnit();
    await more.write(batchOf(rowsFrom(20, 3, 'new')));
    await more.commit('stage', checkpointOf(3));
    const durable = await second.publishStaged(checkpointOf(4));
    assert.deepEqual([durable.rows, durable.tableRows], [6, 6]);
    assert.deepEqual(await bench.words(), wordsOf([...rowsFrom(10, 3, 'new'), ...rowsFrom(20, 3, 'new')]));
    await second.close();
    await bench.assertTidy();
  });

  it('what was staged can be discarded', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const stage = table.beginUnit();
    await stage.write(batchOf(rowsFrom(10, 3, 'lost')));
    await stage.commit('stage', checkpointOf(1));
    await table.discardStaged();
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 2, 'new')));
    await unit.commit('stage', checkpointOf(2));
    await table.publishStaged(checkpointOf(3));
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 2, 'new')));
    await table.close();
    await bench.assertTidy();
  });
}

function tableTests(options: ConformanceOptions): void {
  it('rows are read back at the places that their batches were given', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const unit = table.beginUnit();
    const first = await unit.write(batchOf(rowsFrom(0, 100, 'w')));
    const second = await unit.write(batchOf(rowsFrom(100, 100, 'w')));
    await unit.commit('append', checkpointOf(1));
    const places = [
      { file: second.file, row: second.firstRow + 50 },
      { file: first.file, row: first.firstRow + 1 },
    ];
    assert.deepEqual(await table.readRows(places), [
      ['150', '150', 'w-150', null],
      ['1', '1', 'w-1', '1.01'],
    ]);
    await table.close();
  });

  it('a new column and a wider type appear; older rows have null', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    const before = await session.openTable(conformanceTable());
    const old = before.beginUnit();
    await old.write(batchOf(rowsFrom(1, 1, 'old')));
    await old.commit('append', checkpointOf(1));
    await before.close();
    const columns = conformanceColumns.map((column) =>
      column.name === 'id' ? ({ ...column, type: { kind: 'long' } } as const) : column,
    );
    const wider = [...columns, { name: 'extra', type: { kind: 'string' }, nullable: true } as const];
    const after = await session.openTable(conformanceTable({ columns: wider }));
    const fresh = after.beginUnit();
    await fresh.write(batchOf(rowsFrom(2, 1, 'new'), wider));
    await fresh.commit('append', checkpointOf(2));
    await after.close();
    const rows = [...(await bench.place.readRows(tableName))].sort((x, y) => Number(x.id) - Number(y.id));
    assert.deepEqual(wordsOf(rows), ['1:old-1', '2:new-2']);
    assert.deepEqual(
      rows.map((row) => row.extra ?? null),
      [null, '2'],
    );
  });

  it('partitioned rows are all there, once, and are found again at their places', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable({ partition: options.partition }));
    const rows = rowsFrom(0, 30, 'w').map(({ id }) => ({ id, name: id % 4 === 3 ? null : `group ${id % 4}/` }));
    const unit = table.beginUnit();
    const place = await unit.write(batchOf(rows));
    const placeOf = place.placeOf ?? ((row: number) => ({ file: place.file, row: place.firstRow + row }));
    const places = [7, 0, 29].map(placeOf);
    await unit.commit('append', checkpointOf(1));
    assert.deepEqual(await bench.words(), wordsOf(rows));
    const texts = await table.readRows(places);
    assert.deepEqual(
      texts.map(([, id, name]) => [id, name]),
      [
        ['7', null],
        ['0', 'group 0/'],
        ['29', 'group 1/'],
      ],
    );
    await table.close();
    await bench.assertTidy();
  });

  it('a partition over a column that does not exist is refused before anything is written', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    const partition = options.partition.replace('name', 'nowhere');
    await assert.rejects(session.openTable(conformanceTable({ partition })), { kind: 'configuration_invalid' });
    assert.deepEqual(await bench.words(), []);
  });

  it('a dropped table is gone, and dropping it again says so', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    await tellStory(session);
    assert.equal(await session.dropTable(tableName), true);
    assert.deepEqual(await bench.words(), []);
    assert.equal(await session.dropTable(tableName), false);
    const table = await session.openTable(conformanceTable());
    assert.deepEqual([table.checkpoint, table.rows], [undefined, 0]);
    await table.close();
  });
}

function ownershipTests(options: ConformanceOptions): void {
  it('an aborted unit leaves nothing behind', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const kept = table.beginUnit();
    await kept.write(batchOf(rowsFrom(0, 2, 'kept')));
    await kept.commit('append', checkpointOf(1));
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(10, 2, 'lost')));
    await unit.abort();
    await table.close();
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 2, 'kept')));
    await bench.assertTidy();
  });

  it('an attempt that lost its lease commits nothing', async (t) => {
    const bench = await setUp(t, options);
    const lost = async (): Promise<void> => {
      throw new Failure('lease_lost', 'A newer attempt owns this work.');
    };
    const owner = await (await bench.open()).openTable(conformanceTable());
    await owner.beginUnit().commit('append', checkpointOf(1));
    const table = await (await bench.open(lost)).openTable(conformanceTable());
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 2, 'late')));
    await assert.rejects(unit.commit('append', checkpointOf(2)), { kind: 'lease_lost' });
    await unit.abort();
    await table.close();
    const again = await (await bench.open()).openTable(conformanceTable());
    assert.deepEqual([again.checkpoint?.seq, again.rows], [1, 0]);
    await Promise.all([again.close(), owner.close()]);
    await bench.assertTidy();
  });

  it('of two attempts that both believe to own a stream, only one commits from the same state', async (t) => {
    const bench = await setUp(t, options);
    const stale = await (await bench.open()).openTable(conformanceTable());
    const late = stale.beginUnit();
    await late.write(batchOf(rowsFrom(0, 3, 'row')));
    const table = await (await bench.open()).openTable(conformanceTable());
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 3, 'row')));
    await unit.commit('append', checkpointOf(1));
    await assert.rejects(late.commit('append', checkpointOf(1)), Failure);
    await late.abort();
    await Promise.all([stale.close(), table.close()]);
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 3, 'row')));
  });

  it('units of one table that are open at once all arrive', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const units = [0, 1, 2].map(() => table.beginUnit());
    for (let turn = 0; turn < 3; turn++) {
      await Promise.all(units.map((unit, at) => unit.write(batchOf(rowsFrom(at * 100 + turn * 10, 10, 'w')))));
    }
    await Promise.all(units.map((unit, at) => unit.commit('append', checkpointOf(at + 1))));
    assert.deepEqual(await bench.words(), wordsOf([0, 100, 200].flatMap((first) => rowsFrom(first, 30, 'w'))));
    await table.close();
    await bench.assertTidy();
  });
}

/** The same point is tried at its first few occurrences; later ones repeat the same situation. */
const OCCURRENCES = 3;

function crashTests(options: ConformanceOptions): void {
  it('the story reaches no stopping point that is not declared', async (t) => {
    const bench = await setUp(t, options);
    const reached = new Set<string>();
    await tellStory(await bench.open(undefined, (point) => reached.add(point)));
    assert.deepEqual(
      [...reached].filter((point) => !options.stoppingPoints.includes(point)),
      [],
    );
    assert.ok(reached.size > 0);
    assert.deepEqual(await bench.words(), wordsOf(visibleAfter(story.length)));
  });

  for (const point of options.stoppingPoints) {
    it(`a crash at ${point} loses nothing and doubles nothing`, async (t) => {
      for (let occurrence = 1; occurrence <= OCCURRENCES; occurrence++) {
        const bench = await setUp(t, options);
        if (!(await crash(options, bench.folder, { at: `${point}:${occurrence}` }))) break;
        await recoverStory(bench, options);
      }
    });
  }

  it('a crash while a table is dropped leaves it whole or gone', async (t) => {
    for (const point of options.stoppingPoints) {
      const bench = await setUp(t, options);
      await tellStory(await bench.open());
      if (!(await crash(options, bench.folder, { at: `${point}:1`, task: 'drop' }))) continue;
      const session = await bench.open();
      const table = await session.openTable(conformanceTable());
      assert.deepEqual(await bench.words(), wordsOf(visibleAfter(table.checkpoint?.seq ?? 0)));
      await table.close();
      await bench.assertTidy();
    }
  });
}

/** After a crash: readers see a state of the story; once opened, the state of its checkpoint; at the end, the end. */
async function recoverStory(bench: Bench, options: ConformanceOptions): Promise<void> {
  assertReadable(await bench.words(), options);
  const session = await bench.open();
  const table = await session.openTable(conformanceTable());
  assert.deepEqual(await bench.words(), wordsOf(visibleAfter(table.checkpoint?.seq ?? 0)));
  await table.close();
  await bench.assertTidy();
  await tellStory(session);
  assert.deepEqual(await bench.words(), wordsOf(visibleAfter(story.length)));
  await bench.assertTidy();
}

/** What is found before anybody has recovered: one state, or at least committed rows, each once. */
function assertReadable(words: readonly string[], options: ConformanceOptions): void {
  const states = [0, ...story.keys()].map((_, seq) => wordsOf(visibleAfter(seq)));
  if (options.readersSwitchAtOnce) {
    assert.ok(
      states.some((state) => state.join() === words.join()),
      'a reader sees a mixture of two states',
    );
    return;
  }
  const committed = new Set(states.flat());
  assert.equal(new Set(words).size, words.length, 'a reader sees a row twice');
  assert.deepEqual(
    words.filter((word) => !committed.has(word)),
    [],
  );
}

interface Death {
  /** A stopping point, as `name:n`. */
  readonly at: string;
  readonly task?: 'story' | 'drop';
}

/** Runs the child until it dies at the point; false when it ended without reaching it. */
async function crash(options: ConformanceOptions, folder: string, death: Death): Promise<boolean> {
  const { at, task = 'story' } = death;
  const script = fileURLToPath(new URL('./destination-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, options.place.href, folder, at, task], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve(true);
      else if (code === 0) resolve(false);
      else reject(new Error(`the child ended with ${code ?? signal} instead of dying at ${at}`));
    });
  });
}
