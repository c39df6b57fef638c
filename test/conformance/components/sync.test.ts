import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../../../src/errors.ts';
import { startSyncRig, type SyncRig } from './sync-rig.ts';

let rig: SyncRig;

before(async () => {
  rig = await startSyncRig();
});

after(() => rig?.close());

/** The one run that goes on now. */
async function onlyRunning(): Promise<string> {
  await rig.lab.until(() => rig.moves.running.length === 1);
  return rig.moves.running[0]!;
}

describe('penstock.sync', () => {
  it('starts the run that the job itself would start, visible from both sides, and tells what it moved', async () => {
    const jobId = await rig.addJob();
    const run = await rig.start({ jobId });
    const child = await onlyRunning();
    const job = await rig.sync.jobs.get('olake', jobId);
    assert.equal(job.lastRun?.id, child, 'the job shows it as its newest run');
    assert.equal(await rig.sync.runs.sync(rig.scope, jobId), 'skipped', 'a start of the job itself finds it busy');
    const { items } = await rig.sync.runs.list('olake', jobId, { offset: 0 });
    assert.deepEqual(
      items.map(({ id }) => id),
      [child],
    );
    assert.equal(items[0]!.path, `${run.path}.${items[0]!.number}`);
    assert.deepEqual(items[0]!.labels, { component: 'penstock.sync', config: String(jobId) });

    rig.moves.release(child);
    assert.equal((await rig.ended(run.id)).state, 'succeeded');
    const [task] = await rig.lab.engine.tasks(run.id);
    const { streams, ...result } = task!.output as { streams: { name: string; recordsWritten: number }[] };
    assert.deepEqual(result, { taskId: child, recordsRead: 9, recordsWritten: 10, bytes: 340, warnings: 0 });
    assert.deepEqual(
      streams.map(({ name, recordsWritten }) => [name, recordsWritten]),
      [['public.orders', 10]],
    );
  });

  it('waits while the job runs for somebody else, then starts a run of its own', async () => {
    const jobId = await rig.addJob();
    await rig.sync.runs.sync(rig.scope, jobId);
    const foreign = await onlyRunning();
    const run = await rig.start({ jobId });
    await rig.lab.until(async () => (await rig.lab.engine.get(run.id))?.state === 'running');
    assert.deepEqual(await rig.childrenOf(run.id), []);
    rig.moves.release(foreign);
    await rig.lab.until(() => rig.moves.running.length === 1 && rig.moves.running[0] !== foreign);
    rig.moves.release(rig.moves.running[0]!);
    assert.equal((await rig.ended(run.id)).state, 'succeeded');
  });

  it('cancels the sync when it is cancelled, and ends after it', async () => {
    const run = await rig.start({ jobId: await rig.addJob() });
    const child = await onlyRunning();
    await rig.lab.engine.cancel(run.id, 'the test');
    const [end, childEnd] = [await rig.ended(run.id), await rig.lab.engine.get(child)];
    assert.equal(end.state, 'cancelled');
    assert.equal(childEnd?.state, 'cancelled');
    assert.ok(childEnd.endedAt! <= end.endedAt!, 'the child ends first');
  });

  it('ends as cancelled when somebody cancels the sync at the job', async () => {
    const jobId = await rig.addJob();
    const run = await rig.start({ jobId });
    await onlyRunning();
    await rig.sync.runs.cancel(rig.scope, jobId);
    assert.equal((await rig.ended(run.id)).state, 'cancelled');
  });

  it('fails with the failure of the sync', async () => {
    const run = await rig.start({ jobId: await rig.addJob() });
    rig.moves.release(await onlyRunning(), new Failure('credentials_refused', 'the password was refused'));
    const end = await rig.ended(run.id);
    assert.equal(end.state, 'failed');
    assert.equal(end.error?.kind, 'credentials_refused');
    assert.equal(end.error.message, 'the password was refused');
  });

  it('syncs the streams that are named, and no others', async () => {
    const jobId = await rig.addJob();
    const run = await rig.start({ jobId, streams: ['public.orders', 'items'] });
    const child = await onlyRunning();
    assert.deepEqual(rig.moves.streams.get(child), ['orders', 'items']);
    rig.moves.release(child);
    assert.equal((await rig.ended(run.id)).state, 'succeeded');
  });

  it('clears the streams first when it is asked to, then syncs them', async () => {
    const jobId = await rig.addJob();
    await rig.sync.jobs.putState(rig.scope, jobId, {
      type: 'STREAM',
      version: 1,
      streams: ['orders', 'items'].map((stream) => ({
        stream,
        namespace: 'public',
        sync_mode: 'cdc',
        state: { at: 1 },
      })),
    });
    const run = await rig.start({ jobId, streams: ['orders'], clearDestination: true });
    const clear = await onlyRunning();
    assert.equal((await rig.lab.engine.get(clear))?.kind, 'clear');
    assert.deepEqual(rig.moves.streams.get(clear), ['public.orders']);
    const state = await rig.sync.jobs.state('olake', jobId);
    assert.deepEqual(
      state.streams?.map(({ stream }) => stream),
      ['items'],
      'what is cleared is forgotten',
    );
    rig.moves.release(clear);
    await rig.lab.until(() => rig.moves.running.length === 1 && rig.moves.running[0] !== clear);
    const sync = rig.moves.running[0]!;
    assert.equal((await rig.lab.engine.get(sync))?.kind, 'sync');
    rig.moves.release(sync);
    assert.equal((await rig.ended(run.id)).state, 'succeeded');
    assert.equal((await rig.childrenOf(run.id)).length, 2);
  });

  for (const [what, more, ask, sentence] of [
    ['a stream that is not selected', {}, { streams: ['nobody'] }, /"nobody" is not selected/],
    ['a part of the streams of one change log', { mode: 'cdc' }, { streams: ['orders'] }, /"public.customers" must be/],
    ['a job that stays on', { frequency: 'continuous' }, {}, /stays on/],
    ['a job that is not there', {}, { jobId: 99_999 }, /Job 99999 does not exist in project olake/],
    ['a job of another project', {}, { projectId: 'other' }, /does not exist in project other/],
  ] as const) {
    it(`refuses ${what} as a mistake of the user`, async () => {
      const run = await rig.start({ jobId: await rig.addJob(more), ...ask });
      const end = await rig.ended(run.id);
      assert.equal(end.state, 'failed');
      assert.match(end.error!.message, sentence);
      assert.equal(end.error!.blame, 'user');
      assert.deepEqual(await rig.childrenOf(run.id), []);
    });
  }

  it('refuses a job that is inactive', async () => {
    const jobId = await rig.addJob();
    await rig.sync.jobs.setActive(rig.scope, jobId, false);
    const end = await rig.ended((await rig.start({ jobId })).id);
    assert.match(end.error!.message, /inactive/);
  });

  it('finds its sync again when its worker has died, and starts no second one', async () => {
    const jobId = await rig.addJob();
    const run = await rig.start({ jobId });
    const child = await onlyRunning();
    await rig.lab.restart();
    await rig.lab.until(async () => ((await rig.lab.engine.tasks(run.id))[0]?.attempt ?? 0) > 1);
    await rig.lab.until(() => rig.moves.running.includes(child));
    rig.moves.release(child);
    assert.equal((await rig.ended(run.id)).state, 'succeeded');
    assert.deepEqual(
      (await rig.childrenOf(run.id)).map(({ id }) => id),
      [child],
    );
  });
});
