import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figure, median, type Scale } from './figures.ts';

const CONNECTIONS = 32;

interface Load {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly requests: number;
}

/** Sends the requests over keep-alive connections, a new one as soon as one is answered; answers the latencies in ms. */
async function storm({ url, headers, requests }: Load): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const latencies: number[] = [];
  let left = requests;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const begun = performance.now();
      await get(url, headers, agent);
      latencies.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  agent.destroy();
  return latencies;
}

function get(url: string, headers: Record<string, string>, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    });
    sent.on('error', reject).end();
  });
}

async function cpuMicroseconds(server: ChildProcess): Promise<number> {
  server.send('cpu');
  const [{ cpu }] = (await once(server, 'message')) as [{ cpu: NodeJS.CpuUsage }];
  return cpu.user + cpu.system;
}

interface Round {
  readonly cpu: number;
  readonly rate: number;
  readonly p99: number;
}

async function measureRound(server: ChildProcess, load: Load): Promise<Round> {
  const before = await cpuMicroseconds(server);
  const begun = performance.now();
  const latencies = await storm(load);
  const seconds = (performance.now() - begun) / 1000;
  const cpu = ((await cpuMicroseconds(server)) - before) / load.requests;
  latencies.sort((a, b) => a - b);
  return { cpu, rate: load.requests / seconds, p99: latencies[Math.floor(latencies.length * 0.99)]! };
}

/** CPU of the server process per request, and rate and latency at 32 connections: medians of five rounds. */
export async function measure({ smoke }: Scale): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-bench-http-'));
  const server = fork(join(import.meta.dirname, 'http-server.ts'), [dataDir], { env: {} });
  try {
    const [{ url, token }] = (await once(server, 'message')) as [{ url: string; token: string }];
    const requests = smoke ? 500 : 10_000;
    const headers = { authorization: `Bearer ${token}` };
    const routes = {
      // The credential is looked up in the database: this is the one read.
      authenticated: { url: `${url}/auth`, headers, requests },
      list: { url: `${url}/api/v1/project/bench/sources`, headers, requests },
      open: { url: `${url}/health`, headers: {}, requests },
    };
    const rounds: Record<keyof typeof routes, Round[]> = { authenticated: [], list: [], open: [] };
    for (const route of Object.values(routes)) await storm({ ...route, requests: smoke ? 200 : 5000 });
    for (let round = 0; round < (smoke ? 1 : 5); round++) {
      for (const [name, load] of Object.entries(routes)) {
        rounds[name as keyof typeof routes].push(await measureRound(server, load));
      }
    }
    const middle = (name: keyof typeof routes, key: keyof Round): number =>
      median(rounds[name].map((each) => each[key]));
    return [
      {
        name: 'authenticated route, one read: CPU',
        value: middle('authenticated', 'cpu'),
        unit: 'µs',
        reach: '<= 120',
      },
      { name: 'authenticated route, one read: rate', value: middle('authenticated', 'rate'), unit: 'requests/s' },
      { name: 'authenticated route, one read: p99', value: middle('authenticated', 'p99'), unit: 'ms' },
      { name: 'list of sources (three reads): CPU', value: middle('list', 'cpu'), unit: 'µs' },
      { name: 'open route without a read: CPU', value: middle('open', 'cpu'), unit: 'µs' },
    ];
  } finally {
    const ended = once(server, 'exit');
    server.send('stop');
    await ended;
    await rm(dataDir, { recursive: true, force: true });
  }
}
