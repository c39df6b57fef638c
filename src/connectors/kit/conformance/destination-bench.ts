import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createWorld } from '../../../world.ts';
import type { CommitGuard, DestinationSession } from '../index.ts';
import type { ConformanceOptions, DestinationPlace } from './destination-place.ts';
import { loadPlace } from './destination-place.ts';
import { conformanceTable, wordsOf } from './destination-rows.ts';

export const { name: tableName } = conformanceTable();

/** One test's destination, and the checks that most tests make. */
export interface Bench {
  readonly folder: string;
  readonly place: DestinationPlace;
  open(guard?: CommitGuard, onPoint?: (point: string) => void): Promise<DestinationSession>;
  words(): Promise<string[]>;
  /** At rest what a reader finds is what the table lists. */
  assertTidy(): Promise<void>;
}

/** A fresh place for one test; everything goes when the test ends. */
export async function setUp(context: TestContext, options: ConformanceOptions): Promise<Bench> {
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
