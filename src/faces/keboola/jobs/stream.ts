import { once } from 'node:events';
import type { Call, FaceContext } from '../route.ts';
import { showEvent } from './show.ts';

const ALIVE_MS = 15_000;

/**
 * Sends the events of a job as they come, until it has ended or the client has left. A client that comes again names the
 * last event that it has seen.
 */
export async function streamEvents(
  { orchestrate }: FaceContext,
  call: Call,
  { after, ...which }: { readonly number: number; readonly after: string | null; readonly ofAnyRun: boolean },
): Promise<void> {
  const { request, reply } = call;
  const seen = request.headers['last-event-id'];
  const left = new AbortController();
  const followed = orchestrate.jobs.followEvents(call.project, {
    ...which,
    after: typeof seen === 'string' && seen !== '' ? seen : after,
    signal: left.signal,
  });
  const pages = followed[Symbol.asyncIterator]();
  // The first page is awaited before anything is sent: until then a failure is an answer like any other.
  let page = await pages.next();
  reply.hijack();
  const { raw } = reply;
  raw.on('close', () => left.abort());
  const headers = Object.entries(reply.getHeaders()).filter((entry) => entry[1] !== undefined);
  raw.writeHead(200, { ...Object.fromEntries(headers), 'content-type': 'text/event-stream' } as Record<string, string>);
  const alive = setInterval(() => raw.write(':\n\n'), ALIVE_MS);
  try {
    for (; !page.done; page = await pages.next()) {
      const text = page.value.map((event) => `id: ${event.id}\ndata: ${JSON.stringify(showEvent(event))}\n\n`).join('');
      if (!raw.write(text)) await once(raw, 'drain', { signal: left.signal });
    }
    raw.write('event: end\ndata: {}\n\n');
  } catch {
    // The client has left, or the log cannot be read: it asks again from the last event.
  } finally {
    clearInterval(alive);
    raw.end();
  }
}
