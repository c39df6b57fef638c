import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A service outside of Penstock that tasks call by its address. */
export interface OutsideComponent {
  readonly url: string;
  /** `host:port`, for `PENSTOCK_TRUSTED_COMPONENT_HOSTS`: plain http on this machine is refused unless it is named there. */
  readonly place: string;
  stop(): void;
}

const POLLS = 3;

/**
 * As anyone could write one: `POST /run` begins a job and answers 202 with its address, which is then asked until
 * `isFinished`. A start that comes twice has the same key and begins once.
 */
export async function startOutsideComponent(): Promise<OutsideComponent> {
  const jobs = new Map<string, { id: number; text: string; polls: number }>();
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.method === 'POST') {
      const body = (await new Response(request as never).json()) as { text: string };
      const key = String(request.headers['x-idempotency-key']);
      const job = jobs.get(key) ?? { id: jobs.size + 1, text: body.text, polls: 0 };
      jobs.set(key, job);
      return answer(202, { id: job.id, url: `http://${request.headers.host}/jobs/${job.id}`, status: 'waiting' });
    }
    const job = [...jobs.values()].find(({ id }) => request.url === `/jobs/${id}`);
    if (!job) return answer(404, { message: 'no such job' });
    const isFinished = ++job.polls >= POLLS;
    answer(200, {
      id: job.id,
      isFinished,
      status: isFinished ? 'success' : 'processing',
      ...(isFinished && { result: { delivered: job.text, polls: job.polls } }),
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${place}/run`,
    place,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
