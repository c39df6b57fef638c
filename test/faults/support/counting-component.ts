import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** One start call that a component elsewhere got. */
export interface StartCall {
  readonly key: string;
  readonly runId: string;
  readonly token: string;
  /** Parameter `name` of the task. */
  readonly task: string;
  readonly begunAt: number;
  endedAt: number;
  /** `taken`: answered 2xx with the last byte written. `cut`: the caller was gone before. */
  outcome: 'open' | 'busy' | 'taken' | 'cut';
  /** Of an asynchronous one. */
  job?: ComponentJob;
}

export interface ComponentJob {
  readonly endsAt: number;
  polls: number;
  kills: number;
}

/** A component elsewhere that remembers every call. */
export interface CountingComponent {
  readonly place: string;
  readonly calls: readonly StartCall[];
  close(): Promise<void>;
}

/**
 * `POST /answer?ms=n` answers 200 after that time; `POST /job?ms=n` answers 202 and has a job of that length; with
 * `busy=1` the first call of a key is answered by 503. `GET /queue/job/:id` tells of a job.
 */
export async function startCountingComponent(): Promise<CountingComponent> {
  const calls: StartCall[] = [];
  const jobs: ComponentJob[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://component');
    const [, id] = /^\/queue\/jobs?\/(\d+)/.exec(url.pathname) ?? [];
    const handling = id === undefined ? start(request, response, url) : tell(request, response, Number(id));
    handling.catch(() => response.destroy());
  });

  async function start(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const sent = JSON.parse(await bodyOf(request)) as { name: string };
    const call: StartCall = {
      key: String(request.headers['x-idempotency-key']),
      runId: String(request.headers['x-kbc-runid']),
      token: String(request.headers['x-storageapi-token']),
      task: sent.name,
      begunAt: Date.now(),
      endedAt: 0,
      outcome: 'open',
    };
    const isFirst = !calls.some(({ key }) => key === call.key);
    calls.push(call);
    const end = (outcome: StartCall['outcome']): void => {
      if (call.outcome === 'open') Object.assign(call, { outcome, endedAt: Date.now() });
    };
    response.on('close', () => end('cut'));
    const isBusy = url.searchParams.has('busy') && isFirst;
    response.on('finish', () => end(isBusy ? 'busy' : 'taken'));
    if (isBusy) {
      response.setHeader('retry-after', '1');
      return send(response, 503, {});
    }
    const ms = Number(url.searchParams.get('ms'));
    if (url.pathname === '/job') {
      call.job = { endsAt: Date.now() + ms, polls: 0, kills: 0 };
      const id = jobs.push(call.job) - 1;
      const { host } = request.headers;
      return send(response, 202, { id, url: `http://${host}/queue/job/${id}`, status: 'waiting' });
    }
    await delay(ms);
    return send(response, 200, { status: 'ok' });
  }

  async function tell(request: IncomingMessage, response: ServerResponse, id: number): Promise<void> {
    const job = jobs[id]!;
    if (request.method === 'POST') job.kills += 1;
    else job.polls += 1;
    const isFinished = Date.now() >= job.endsAt;
    send(response, 200, { id, status: isFinished ? 'success' : 'processing', isFinished });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    place: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
