import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { gate, openScriptedEngine, until } from '../../test/support/scripted-engine.ts';
import type { ScriptedEngine } from '../../test/support/scripted-engine.ts';

let scripted: ScriptedEngine;

before(async () => {
  scripted = await openScriptedEngine();
  await scripted.engine.startWorker();
});

after(async () => {
  await scripted?.close();
});

async function openTasks(runId: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select open_tasks as n from run where id = ${runId}`.execute(
    scripted.test.store.db,
  );
  return rows[0]!.n;
}

describe('ends of tasks of one run', () => {
  it('are each counted once when they meet others at the row of the run', async () => {
    const gates = Array.from({ length: 4 }, gate);
    const tasks = gates.map(({ script }, place) => scripted.task(`t${place}`, script));
    const { runId } = await scripted.engine.start(scripted.plan(tasks));
    await Promise.all(gates.map(({ entered }) => entered));
    await scripted.test.store.transaction(async (tx) => {
      await sql`update run set warnings = warnings + 1 where id = ${runId}`.execute(tx);
      for (const { open } of gates.slice(0, 3)) open();
      // They have come to the row, and wait for this transaction.
      await until(async () => {
        const { rows } = await sql<{ n: number }>`
          select count(*)::integer as n from pg_stat_activity
          where wait_event_type = 'Lock' and query like '%open_tasks%'`.execute(scripted.test.store.db);
        return rows[0]!.n > 0;
      });
    });
    await until(async () => (await openTasks(runId)) === 1);
    const [row] = (
      await sql<{ warnings: number }>`select warnings from run where id = ${runId}`.execute(scripted.test.store.db)
    ).rows;
    assert.equal(row!.warnings, 1);
    gates[3]!.open();
    assert.equal((await scripted.ended(runId)).state, 'succeeded');
    assert.equal(await openTasks(runId), 0);
  });
});
