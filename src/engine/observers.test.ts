import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { openScriptedEngine, until } from '../../test/support/scripted-engine.ts';
import type { ScriptedEngine } from '../../test/support/scripted-engine.ts';

let scripted: ScriptedEngine;
/** States of which the observer fails to take note, each once. */
const failing = new Set<string>();

before(async () => {
  scripted = await openScriptedEngine({
    observers: [
      {
        kind: 'observed',
        async runChanged(tx, run) {
          await sql`insert into seen (run_id, state) values (${run.id}, ${run.state})`.execute(tx);
          if (failing.delete(run.state)) throw new Error('a defect');
        },
      },
    ],
  });
  await sql`create table seen (place serial, run_id text, state text)`.execute(scripted.test.store.db);
  await scripted.engine.startWorker();
});

after(async () => {
  await scripted?.close();
});

async function seen(runId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ state: string }>`select state from seen where run_id = ${runId} order by place`.execute(
    scripted.test.store.db,
  );
  return rows.map(({ state }) => state);
}

describe('an observer', () => {
  it('that fails holds up no run, writes nothing by that, and is told again', async () => {
    failing.add('succeeded');
    const { runId } = await scripted.engine.start(scripted.plan([scripted.task('a')], { kind: 'observed' }));
    assert.equal((await scripted.ended(runId)).state, 'succeeded');
    await until(async () => (await seen(runId)).length >= 3);
    assert.deepEqual(await seen(runId), ['queued', 'running', 'succeeded']);
  });

  it('is not told again of a state that is over: it knows of a later one', async () => {
    failing.add('running');
    const { runId } = await scripted.engine.start(scripted.plan([scripted.task('a')], { kind: 'observed' }));
    assert.equal((await scripted.ended(runId)).state, 'succeeded');
    const key = `engine.tell-again/${runId}/running/0`;
    await until(async () => (await scripted.engine.outboxState(key))?.state === 'delivered');
    // It may come between, but never after.
    assert.equal((await seen(runId)).at(-1), 'succeeded');
  });

  it('refuses a run that is being accepted', async () => {
    failing.add('queued');
    const plan = scripted.plan([scripted.task('a')], { kind: 'observed', idempotencyKey: 'refused' });
    await assert.rejects(scripted.engine.start(plan), /a defect/);
    assert.equal((await scripted.engine.start(plan)).outcome, 'started');
  });
});
