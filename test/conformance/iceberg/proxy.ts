import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request on its way: before or after the server got it. */
export type Fault =
  | { readonly when: 'before' | 'after'; readonly status: number }
  | { readonly when: 'before' | 'after'; readonly cut: true }
  /** The connection is cut, and the request arrives when `release` is called. */
  | { readonly when: 'before'; readonly late: true }
  /** No answer at all, before the server got it. */
  | { readonly when: 'before'; readonly silent: true };

export interface Proxy {
  readonly url: string;
  /** Lines of all requests: method and path. */
  readonly seen: string[];
  /** Applies faults, in their order, to requests whose line matches; what comes after them passes. */
  break(line: RegExp, faults: readonly Fault[]): void;
  /** Sends on the oldest late request; answers its status. */
  release(): Promise<number>;
  close(): Promise<void>;
}

/** Passes requests on to a server, and breaks those that a test names. */
export async function startProxy(target: string): Promise<Proxy> {
  const seen: string[] = [];
  const late: (() => Promise<Response>)[] = [];
  let rules: { readonly line: RegExp; readonly faults: Fault[] }[] = [];
  const server = createServer((request, reply) => {
    pass(request, reply).catch(() => reply.destroy());
  });

  async function pass(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    seen.push(line);
    const body: Buffer[] = [];
    for await (const piece of request) body.push(piece as Buffer);
    const fault = rules.find((rule) => rule.line.test(line) && rule.faults.length > 0)?.faults.shift();
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers;
    const sendOn = (): Promise<Response> =>
      fetch(new URL(request.url!, target), {
        method: request.method!,
        headers: headers as Record<string, string>,
        ...(body.length > 0 && { body: Buffer.concat(body) }),
      });
    if (fault && 'late' in fault) late.push(sendOn);
    if (fault?.when === 'before') return spoil(reply, fault);
    const answer = await sendOn();
    const text = await answer.text();
    if (fault) return spoil(reply, fault);
    reply.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(text);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${new URL(target).pathname}`,
    seen,
    break(line, faults) {
      rules = [{ line, faults: [...faults] }];
    },
    async release() {
      const answer = await late.shift()!();
      await answer.arrayBuffer();
      return answer.status;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function spoil(reply: ServerResponse, fault: Fault): void {
  if ('silent' in fault) return;
  if ('cut' in fault || 'late' in fault) reply.destroy();
  else
    reply
      .writeHead(fault.status, { 'content-type': 'application/json' })
      .end('{"error":{"message":"broken on purpose"}}');
}
