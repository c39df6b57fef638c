import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, it } from 'node:test';
import { sql } from 'kysely';
import { connectStore } from '../../src/store/index.ts';
import type { EmbeddedPostgres, Store } from '../../src/store/index.ts';
import { createWorld } from '../../src/world.ts';
import { startTestPostgres } from '../support/postgres.ts';
import { freePort, until } from '../support/waiting.ts';
import { startCountingComponent, type CountingComponent, type StartCall } from './support/counting-component.ts';
import { keepProcess, type KeptProcess } from './support/processes.ts';

/** Length of the storm; a shorter one for a quick look. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 40);
const ENOUGH_JOBS = SECONDS / 4;
const QUIET_MS = [1500, 4500] as const;
const DRAIN_MS = 180_000;
const MASTER = '1-1-0123456789abcdef0123456789abcdef01234567';
const INTERRUPTED = 'Interrupted by a server restart';
/** From the last byte that a component wrote until the engine has kept it, on a machine that is busy. */
const KEEPING_MS = 5000;

interface ResultTask {
  readonly component?: string;
  readonly componentUrl?: string;
  readonly actionParameters: { readonly name?: string };
  readonly status?: string;
  readonly response?: { readonly message?: string };
}
interface Job {
  readonly id: number;
  readonly runId: number | string;
  readonly orchestrationId: number;
  readonly status: string;
  readonly isFinished: boolean;
  readonly initializedBy: string;
  readonly scheduledTime?: string;
  readonly startTime: string;
  readonly endTime: string;
  readonly results: { readonly tasks: readonly ResultTask[]; readonly phases: readonly (readonly ResultTask[])[] };
}

let postgres: EmbeddedPostgres;
let store: Store;
let component: CountingComponent;
let folder: string;
let url: string;
const processes: KeptProcess[] = [];
const kills: number[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-chaos-'));
  postgres = await startTestPostgres();
  component = await startCountingComponent();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const environment = {
    PATH: process.env['PATH'] ?? '',
    PENSTOCK_DATABASE_URL: postgres.url,
    PENSTOCK_DATA_DIR: folder,
    PENSTOCK_PORT: String(port),
    PENSTOCK_ADMIN_PASSWORD: 'correct horse',
    PENSTOCK_STORAGE_TOKEN: MASTER,
    PENSTOCK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_TRUSTED_COMPONENT_HOSTS: component.place,
  };
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  processes.push(keepProcess(main, ['serve'], environment));
  await until('the product is there', async () => (await ask('GET', '/orchestrations')) !== undefined);
  processes.push(keepProcess(main, ['worker'], environment));
  store = await connectStore({ url: postgres.url, world: createWorld() });
});

after(async () => {
  for (const process of processes) await process.stop();
  await store?.close();
  await component?.close();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('orchestrations lose and double nothing while their processes are killed', { timeout: 300_000 }, async (test) => {
  const inner = await define('inner', [at('/answer?ms=200', 'x'), at('/job?ms=300', 'x'), local('y')]);
  const ids = [
    ...(await Promise.all(['first', 'second', 'third'].map((name) => define(name, phases())))),
    ...(await Promise.all(['fourth', 'fifth'].map((name) => define(name, nested(inner))))),
  ];
  const ticking = await define('ticking', [at('/job?ms=50'), at('/answer?ms=50')], {
    crontabRecord: '* * * * *',
    catchUp: 'all',
    overlap: 'enqueue',
  });
  await missTicks(ticking);

  const storm = new AbortController();
  const accepted = new Map<string, number>();
  const clients = ids.map((id) => runClient({ id, accepted, storm: storm.signal }));
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  // Longer on a machine that is so busy that little was asked of it.
  while (seconds() < SECONDS || (seconds() < 3 * SECONDS && accepted.size <= ENOUGH_JOBS)) {
    await delay(QUIET_MS[0] + Math.random() * (QUIET_MS[1] - QUIET_MS[0]));
    const victim = processes[Math.random() < 0.5 ? 0 : 1]!;
    // It may be on its way up still.
    if (victim.kill()) kills.push(Date.now());
    await missTicks(ticking);
  }
  storm.abort();
  await Promise.all(clients);
  await until('every run has ended', async () => (await countLiving()) === 0, DRAIN_MS);

  const all = new Map<number, readonly Job[]>();
  for (const id of [...ids, inner, ticking]) all.set(id, await jobsOf(id));
  const jobs = [...all.values()].flat();
  checkComplete(jobs, accepted);
  const interrupted = jobs.reduce((sum, job) => sum + checkTasks(job), 0);
  checkCalls(jobs);
  for (const [id, ofOne] of all) checkTurns(id, ofOne);
  const ticks = checkTicks(all.get(ticking) ?? []);
  await checkTokens();
  test.diagnostic(
    JSON.stringify({ kills: kills.length, jobs: jobs.length, calls: component.calls.length, interrupted, ticks }),
  );
  assert.ok(kills.length >= SECONDS / 6 && accepted.size > ENOUGH_JOBS, `${kills.length} kills, ${accepted.size} jobs`);
});

/** A task at the component elsewhere. What fails does not stop the job, so later phases are seen too. */
function at(path: string, phase: string | null = null) {
  return { componentUrl: `http://${component.place}${path}`, phase, continueOnFailure: true };
}

function local(phase: string | null = null) {
  const actionParameters = { statements: ['select 1 as one'] };
  return { component: 'sql.transformation', actionParameters, phase, continueOnFailure: true };
}

function phases(): readonly object[] {
  return [
    at('/answer?ms=400', 'a'),
    at('/job?ms=700', 'a'),
    at('/answer?ms=10&busy=1', 'a'),
    local('b'),
    at('/job?ms=300&busy=1', 'b'),
    at('/answer?ms=2500'),
  ];
}

function nested(inner: number): readonly object[] {
  const child = { component: 'orchestrator', actionParameters: { config: inner }, continueOnFailure: true };
  return [at('/job?ms=200', 'a'), { ...child, phase: 'a' }, at('/answer?ms=200'), child];
}

async function define(name: string, tasks: readonly object[], more: object = {}): Promise<number> {
  const named = tasks.map((task, position) =>
    'componentUrl' in task ? { ...task, actionParameters: { name: `${name}/${position}` } } : task,
  );
  const made = await ask<{ id: number }>('POST', '/orchestrations', { body: { name, tasks: named, ...more } });
  assert.ok(made, `${name} was not accepted`);
  return made.id;
}

interface Asking {
  readonly body?: object;
  readonly key?: string;
  readonly token?: string;
}

/** Undefined when the server is not there, or refuses. */
async function ask<T>(
  method: string,
  path: string,
  { body, key, token = MASTER }: Asking = {},
): Promise<T | undefined> {
  try {
    const response = await fetch(url + path, {
      method,
      headers: {
        'x-storageapi-token': token,
        'content-type': 'application/json',
        ...(key && { 'x-idempotency-key': key }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

interface Client {
  readonly id: number;
  readonly accepted: Map<string, number>;
  readonly storm: AbortSignal;
}

/** Starts jobs two at a time, each with one key until it is accepted, and waits for their end. */
async function runClient({ id, accepted, storm }: Client): Promise<void> {
  for (let count = 0; !storm.aborted; count++) {
    const started = await Promise.all([1, 2].map((one) => startOnce({ id, accepted, storm }, `${id}/${count}/${one}`)));
    for (const number of started) {
      const isOver = async (): Promise<boolean> => (await ask<Job>('GET', `/jobs/${number}`))?.isFinished === true;
      for (let isKnown = number !== undefined; isKnown && !storm.aborted; isKnown = !(await isOver())) await delay(200);
    }
  }
}

async function startOnce({ id, accepted, storm }: Client, key: string): Promise<number | undefined> {
  for (;;) {
    const job = await ask<Job>('POST', '/run', { body: { config: id }, key });
    if (job !== undefined) {
      accepted.set(key, job.id);
      return job.id;
    }
    if (storm.aborted) return undefined;
    await delay(100);
  }
}

/** Puts the clock of a schedule back, as after a pause of the server: ticks that were seen come again, beside new ones. */
async function missTicks(orchestration: number): Promise<void> {
  const moved = await sql`update schedule set next_fire_at = now() - interval '5 minutes'
    where key = ${`orchestration/${orchestration}`}`.execute(store.db);
  assert.equal(moved.numAffectedRows, 1n);
}

async function countLiving(): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from run where ended_at is null`.execute(store.db);
  return Number(rows[0]?.n);
}

async function jobsOf(orchestration: number): Promise<readonly Job[]> {
  const path = `/orchestrations/${orchestration}/jobs?limit=1000`;
  let jobs: readonly Job[] | undefined;
  await until('the jobs are told', async () => (jobs = await ask<readonly Job[]>('GET', path)) !== undefined);
  return jobs!.toSorted((one, other) => one.id - other.id);
}

function checkComplete(jobs: readonly Job[], accepted: ReadonlyMap<string, number>): void {
  const known = new Set(jobs.map(({ id }) => id));
  for (const [key, id] of accepted) assert.ok(known.has(id), `job ${id} of ${key} is lost`);
  assert.equal(new Set(accepted.values()).size, accepted.size, 'two starts got one job');
  for (const { id, status, isFinished } of jobs) {
    assert.ok(isFinished, `job ${id} is ${status}`);
    assert.match(status, /^(success|warning)$/, `job ${id}`);
  }
}

/** What each task ended with is what the component saw. Answers how many were interrupted. */
function checkTasks(job: Job): number {
  let interrupted = 0;
  job.results.tasks.forEach((task, position) => {
    const where = `task ${position} of job ${job.id}: ${JSON.stringify(task)}`;
    if (task.componentUrl === undefined) {
      // A nested job that was interrupted somewhere ends with a warning.
      assert.match(String(task.status), task.component === 'orchestrator' ? /^(success|warning)$/ : /^success$/, where);
      return;
    }
    const calls = component.calls.filter(({ key }) => key === `${job.id}-${position}`);
    const last = calls.at(-1);
    const seen = `${where} ${JSON.stringify(calls)}`;
    if (task.status === 'success') {
      assert.equal(last?.outcome, 'taken', seen);
      return;
    }
    assert.equal(task.status, 'error', seen);
    assert.equal(task.response?.message, INTERRUPTED, seen);
    interrupted += 1;
    if (last === undefined) return;
    const isNear = kills.some((kill) => kill >= last.begunAt - KEEPING_MS && kill <= last.endedAt + KEEPING_MS);
    assert.ok(isNear, `nobody was killed during ${seen}`);
    assert.equal(last.job?.polls ?? 0, 0, `it was polled, so it must go on: ${seen}`);
  });
  return interrupted;
}

/** No key is called again once a call of it was taken, or may have been; no task has two keys. */
function checkCalls(jobs: readonly Job[]): void {
  const byRun = new Map(jobs.map((job) => [String(job.runId), job]));
  for (const [key, calls] of Map.groupBy(component.calls, (call) => call.key)) {
    const shown = JSON.stringify(calls);
    for (const call of calls.slice(0, -1)) assert.equal(call.outcome, 'busy', `${key} was called again: ${shown}`);
    const [number, position] = key.split('-');
    const job = byRun.get(calls[0]!.runId);
    assert.equal(String(job?.id), number, shown);
    assert.equal(job?.results.tasks[Number(position)]?.actionParameters.name, calls[0]!.task, shown);
    for (const { job: started } of calls) assert.equal(started?.kills ?? 0, 0, `nobody asked for its end: ${shown}`);
  }
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function spanOf(calls: readonly StartCall[]): Span | undefined {
  if (calls.length === 0) return undefined;
  // A job that was never polled belongs to an interrupted task, which waits for it no more.
  const ends = calls.map(({ job, endedAt }) => (job !== undefined && job.polls > 0 ? job.endsAt : endedAt));
  return { from: Math.min(...calls.map(({ begunAt }) => begunAt)), to: Math.max(...ends) };
}

/**
 * Phases of a job one after another, and jobs of an orchestration one after another, by the times at the component. Which
 * of two that were started at the same moment comes first is not told by their numbers.
 */
function checkTurns(orchestration: number, jobs: readonly Job[]): void {
  const turns: (Span & { readonly id: number })[] = [];
  for (const job of jobs) {
    const calls = component.calls.filter(({ runId }) => runId === String(job.runId));
    let position = 0;
    let to = 0;
    for (const phase of job.results.phases) {
      const keys = new Set(phase.map(() => `${job.id}-${position++}`));
      const span = spanOf(calls.filter(({ key }) => keys.has(key)));
      if (span === undefined) continue;
      assert.ok(span.from >= to, `phases of job ${job.id} overlap`);
      to = span.to;
    }
    const span = spanOf(calls);
    if (span !== undefined) turns.push({ id: job.id, ...span });
  }
  turns.sort((one, other) => one.from - other.from);
  turns.slice(1).forEach((turn, index) => {
    const former = turns[index]!;
    const shown = JSON.stringify([former, turn]);
    assert.ok(turn.from >= former.to, `jobs of orchestration ${orchestration} overlap: ${shown}`);
  });
}

function checkTicks(jobs: readonly Job[]): number {
  const ticks = jobs.map(({ scheduledTime }) => Date.parse(scheduledTime ?? '')).toSorted((a, b) => a - b);
  assert.ok(ticks.length >= 5, `${ticks.length} ticks`);
  ticks.slice(1).forEach((tick, index) => assert.equal(tick - ticks[index]!, 60_000, 'a tick is lost or doubled'));
  return ticks.length;
}

/** Tokens of jobs that have ended live an hour longer, and no more. */
async function checkTokens(): Promise<void> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from storage_run_token t join run r on r.id = t.run_id
    where t.expires_at is null or t.expires_at not between r.ended_at and r.ended_at + interval '61 minutes'`.execute(
    store.db,
  );
  assert.equal(Number(rows[0]?.n), 0, 'tokens of ended jobs without an end');
  const { token } = component.calls.at(-1)!;
  const verify = (): Promise<unknown> => ask('GET', '/v2/storage/tokens/verify', { token });
  await until('the token of the last job is valid', async () => (await verify()) !== undefined);
  await sql`update storage_run_token set expires_at = expires_at - interval '61 minutes'`.execute(store.db);
  assert.equal(await verify(), undefined, 'the token outlives its hour');
}
