import { request } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** Parsed when it is JSON. */
  readonly body: unknown;
}

export interface Sending {
  readonly method: string;
  /** Path and query, exactly as it goes over the wire. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is. */
  readonly text?: string | Buffer;
  /** Without a content-length. */
  readonly chunked?: boolean;
}

/** One request over plain HTTP: unlike `fetch` it sends bodies with GET and paths with raw quotes. */
export function send(url: string, { method, path, headers, text, chunked }: Sending): Promise<Reply> {
  const { hostname, port } = new URL(url);
  const length = text === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(text)) };
  const coding = chunked ? { 'transfer-encoding': 'chunked' } : {};
  return new Promise((resolve, reject) => {
    const options = { hostname, port, method, agent: false, headers: { ...length, ...coding, ...headers } };
    const outgoing = request(options, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const bytes = Buffer.concat(pieces);
        const reply = { status: incoming.statusCode ?? 0, headers: incoming.headers, bytes, text: bytes.toString() };
        resolve({ ...reply, body: parse(reply.text) });
      });
    });
    outgoing.on('error', reject);
    // `request` refuses quotes in a path; clients of the seed send them.
    outgoing.path = path;
    if (text !== undefined) outgoing.write(text);
    outgoing.end();
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Signs in and answers the headers of a client with that session. */
export async function signIn(
  url: string,
  who: { username: string; password: string },
): Promise<Record<string, string>> {
  const text = JSON.stringify(who);
  const reply = await send(url, {
    method: 'POST',
    path: '/login',
    headers: { 'content-type': 'application/json' },
    text,
  });
  const cookie = String(reply.headers['set-cookie']).split(';')[0]!;
  return { cookie, 'content-type': 'application/json' };
}

/** The texts of an archive by name. */
export function untar(bytes: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const name = bytes.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 136), 8);
    files.set(name, bytes.toString('utf8', at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
