import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Bench } from './destination-bench.ts';
import { setUp } from './destination-bench.ts';
import type { ConformanceOptions } from './destination-place.ts';
import { conformanceTable, wordsOf } from './destination-rows.ts';
import { story, tellStory, visibleAfter } from './destination-story.ts';

/** The same point is tried at its first few occurrences; later ones repeat the same situation. */
const OCCURRENCES = 3;

/** Death at every stopping point, in a process of its own. */
export function crashTests(options: ConformanceOptions): void {
  const killed = new Set<string>();
  /** Runs the child until it dies at the point; false when it ended without reaching it. */
  const crash = async (folder: string, death: Death): Promise<boolean> => {
    const isDead = await dies(options, folder, death);
    if (isDead) killed.add(death.at.split(':')[0]!);
    return isDead;
  };
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

  for (const point of options.crashPoints ?? options.stoppingPoints) {
    it(`a crash at ${point} loses nothing and doubles nothing`, async (t) => {
      for (let occurrence = 1; occurrence <= (options.occurrences ?? OCCURRENCES); occurrence++) {
        const bench = await setUp(t, options);
        if (!(await crash(bench.folder, { at: `${point}:${occurrence}` }))) break;
        await recoverStory(bench, options);
      }
    });
  }

  it('a second crash, while or after the first is recovered, changes nothing', async (t) => {
    for (const point of options.doubleCrashes ?? options.stoppingPoints) {
      const bench = await setUp(t, options);
      if (!(await crash(bench.folder, { at: `${point}:2` }))) continue;
      await crash(bench.folder, { at: `${point}:1` });
      await recoverStory(bench, options);
    }
  });

  it('a crash while a table is dropped leaves it whole or gone', async (t) => {
    for (const point of await pointsOfDrop(t, options)) {
      const bench = await setUp(t, options);
      await tellStory(await bench.open());
      if (!(await crash(bench.folder, { at: `${point}:1`, task: 'drop' }))) continue;
      const session = await bench.open();
      const table = await session.openTable(conformanceTable());
      assert.deepEqual(await bench.words(), wordsOf(visibleAfter(table.checkpoint?.seq ?? 0)));
      await table.close();
      await bench.assertTidy();
    }
  });

  it('dies at every point that it shall die at: none is declared that nothing comes by', () => {
    const declared = options.crashPoints ?? options.stoppingPoints;
    const missed = declared.filter((point) => !killed.has(point) && !options.triedElsewhere?.includes(point));
    assert.deepEqual(missed, []);
  });
}

/** The stopping points that a drop comes by. */
async function pointsOfDrop(context: TestContext, options: ConformanceOptions): Promise<ReadonlySet<string>> {
  const bench = await setUp(context, options);
  await tellStory(await bench.open());
  const reached = new Set<string>();
  await (await bench.open(undefined, (point) => reached.add(point))).dropTable(conformanceTable().name);
  assert.ok(reached.size > 0);
  return reached;
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

async function dies(options: ConformanceOptions, folder: string, death: Death): Promise<boolean> {
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
