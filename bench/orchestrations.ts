/**
 * Figures of the orchestrator through its API: a start until its job is processing, tasks per second of orchestrations
 * whose tasks call a component elsewhere and a built-in one, and a job of a thousand tasks.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Figure, median, type Scale } from './figures.ts';

interface Job {
  readonly id: number;
  readonly status: string;
  readonly isFinished: boolean;
  readonly createdTime: string;
  readonly startTime: string | null;
  readonly results: { readonly tasks: readonly { readonly status?: string }[] } | null;
}

type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>;

/** A component elsewhere: answers at once, and tells when it was called. */
interface Elsewhere {
  readonly port: number;
  readonly calls: { count: number; lastAt: number };
  close(): void;
}

async function startElsewhere(): Promise<Elsewhere> {
  const calls = { count: 0, lastAt: 0 };
  const server = createServer((incoming, response) => {
    incoming.resume();
    calls.count += 1;
    calls.lastAt = performance.now();
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, calls, close: () => void server.close() };
}

function createCaller(url: string, token: string): Call {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const headers = { 'x-storageapi-token': token, 'content-type': 'application/json' };
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const sent = request(`${url}${path}`, { method, headers, agent }, (response) => {
        let text = '';
        response.on('data', (part: Buffer) => (text += part.toString()));
        response.on('end', () => {
          if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(text || 'null'));
          else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${text.slice(0, 300)}`));
        });
      });
      sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
}

/** Tasks in phases of fifty that run at the same time. */
function tasksOf(count: number, task: object): object[] {
  return Array.from({ length: count }, (_, index) => ({ ...task, phase: `p${Math.floor(index / 50)}` }));
}

async function create(call: Call, name: string, tasks: readonly object[]): Promise<number> {
  return (await call<{ id: number }>('POST', '/orchestrations', { name, tasks })).id;
}

/** Asks every `pauseMs`, as clients do each second or less often: the page of a thousand tasks is work for the server, too. */
async function finished(call: Call, id: number, pauseMs = 50): Promise<Job> {
  for (;;) {
    const job = await call<Job>('GET', `/jobs/${id}`);
    if (job.isFinished) return job;
    await delay(pauseMs);
  }
}

interface Starts {
  /** Until the job was seen processing. */
  readonly processing: readonly number[];
  /** Until its first task reached its component. */
  readonly called: readonly number[];
}

/** Milliseconds from sending a start, one job at a time. */
async function measureStarts(call: Call, elsewhere: Elsewhere, starts: number): Promise<Starts> {
  const componentUrl = `http://127.0.0.1:${elsewhere.port}/once`;
  const config = await create(call, 'one task', [{ componentUrl }]);
  const processing: number[] = [];
  const called: number[] = [];
  for (let index = 0; index < starts; index++) {
    const began = performance.now();
    const { id } = await call<Job>('POST', '/run', { config });
    while ((await call<Job>('GET', `/jobs/${id}`)).startTime === null) await delay(1);
    processing.push(performance.now() - began);
    await finished(call, id);
  }
  for (let index = 0; index < starts; index++) {
    const before = elsewhere.calls.count;
    const began = performance.now();
    const { id } = await call<Job>('POST', '/run', { config });
    while (elsewhere.calls.count === before) await delay(1);
    called.push(elsewhere.calls.lastAt - began);
    await finished(call, id);
  }
  return { processing, called };
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) * part)]!;
}

interface Measured {
  readonly call: Call;
  /** Milliseconds from the acceptance of the first of these jobs to the end of the last. */
  spanOf(jobs: readonly number[]): Promise<number>;
}

/** Tasks per second of jobs of these tasks, four orchestrations at once; and the milliseconds that the page of one job takes. */
async function measureTasks(
  { call, spanOf }: Measured,
  name: string,
  tasks: readonly object[],
): Promise<{ rate: number; pageMs: number }> {
  const configs = await Promise.all([1, 2, 3, 4].map((number) => create(call, `${name} ${number}`, tasks)));
  const started = await Promise.all(configs.map((config) => call<Job>('POST', '/run', { config })));
  const jobs = await Promise.all(started.map(({ id }) => finished(call, id, 1000)));
  const seconds = (await spanOf(jobs.map(({ id }) => id))) / 1000;
  const bad = jobs.find(({ status }) => status !== 'success');
  if (bad) throw new Error(`job ${bad.id} ended with ${bad.status}`);
  const pages: number[] = [];
  for (let index = 0; index < 9; index++) {
    const asked = performance.now();
    await call('GET', `/jobs/${jobs[0]!.id}`);
    pages.push(performance.now() - asked);
  }
  return { rate: (tasks.length * jobs.length) / seconds, pageMs: median(pages) };
}

/** Measures against the whole product in a process of its own. */
export async function measure({ smoke }: Scale): Promise<readonly Figure[]> {
  const [starts, size] = smoke ? [5, 60] : [300, 1000];
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-bench-orchestrations-'));
  const elsewhere = await startElsewhere();
  const host = `127.0.0.1:${elsewhere.port}`;
  const server = fork(join(import.meta.dirname, 'http-server.ts'), [dataDir, host], { env: {} });
  try {
    const [{ url, token }] = (await once(server, 'message')) as [{ url: string; token: string }];
    const call = createCaller(url, token);
    const outside = tasksOf(size, { componentUrl: `http://${host}/task` });
    const builtIn = tasksOf(size, { component: 'http.call', actionParameters: { url: `http://${host}/task` } });
    await measureStarts(call, elsewhere, Math.ceil(starts / 10));
    const { processing, called } = await measureStarts(call, elsewhere, starts);
    server.send('waits');
    const [{ waits }] = (await once(server, 'message')) as [{ waits: number[] }];
    const spanOf = async (jobs: readonly number[]): Promise<number> => {
      server.send({ span: jobs });
      const [{ span }] = (await once(server, 'message')) as [{ span: number }];
      return span;
    };
    const calls = await measureTasks({ call, spanOf }, 'outside', outside);
    const runs = await measureTasks({ call, spanOf }, 'built in', builtIn);
    const kind = `jobs of ${size} tasks`;
    return [
      { name: 'created to processing, median', value: percentile(waits, 0.5), unit: 'ms', reach: '<= 10' },
      { name: 'created to processing, 99 of 100', value: percentile(waits, 0.99), unit: 'ms', reach: '<= 50' },
      { name: 'POST of a job until a GET shows it processing, median', value: percentile(processing, 0.5), unit: 'ms' },
      {
        name: 'POST of a job until a GET shows it processing, 99 of 100',
        value: percentile(processing, 0.99),
        unit: 'ms',
      },
      { name: 'POST of a job until its first task is called, median', value: percentile(called, 0.5), unit: 'ms' },
      { name: 'POST of a job until its first task is called, 99 of 100', value: percentile(called, 0.99), unit: 'ms' },
      { name: `${kind}, each a call of a component elsewhere`, value: calls.rate, unit: 'tasks/s', reach: '>= 300' },
      { name: `${kind}, each a run of a built-in component`, value: runs.rate, unit: 'tasks/s', reach: '>= 300' },
      { name: `page of a job of ${size} tasks with its results`, value: runs.pageMs, unit: 'ms', reach: '<= 200' },
    ];
  } finally {
    const ended = once(server, 'exit');
    server.send('stop');
    await ended;
    elsewhere.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}
