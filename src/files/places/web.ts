import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Failure } from '../../errors.ts';
import type { Surroundings } from '../shapes.ts';
import type { ListedFile, OpenFile, Place } from './types.ts';
import { askWeb, checkUrl, explainWeb, shownUrl } from './web-request.ts';
import type { WebAccess } from './web-request.ts';

/** A larger file is not taken. */
const MOST_BYTES = 2 ** 40;
/** A file of a server that does not answer with parts is held as a whole, up to this size. */
const MOST_HELD = 256 * 1024 * 1024;

/** One file of a web server. Its time is `Last-Modified`; where the server tells none, it counts as new in every run. */
export function webPlace(address: string, access: WebAccess, { world }: Pick<Surroundings, 'world'>): Place {
  const url = parseUrl(address);
  const own: WebAccess =
    access.username === '' && url.username !== ''
      ? { ...access, username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
      : access;
  return {
    namespace: url.hostname,
    patternText: (file) => file.path,
    async list(signal) {
      const answer = await askForHead({ url, access: own, signal });
      const { bytes, modified, tag } = readHead(answer, url);
      const now = BigInt(world.now().getTime()) * 1000n;
      return [{ location: locationOf(url), path: fileName(url), bytes, modified: modified ?? now, tag }];
    },
    open: async (file, signal) => openWeb(file, { url, access: own, signal }),
  };
}

function parseUrl(address: string): URL {
  if (!URL.canParse(address)) throw new Failure('configuration_invalid', 'url is no web address');
  const url = new URL(address);
  checkUrl(url);
  return url;
}

/** Two files may differ in the query only, which may be a secret: a digest stands for it. */
function locationOf(url: URL): string {
  if (url.search === '') return shownUrl(url);
  return `${shownUrl(url)}?${createHash('sha256').update(url.search).digest('hex').slice(0, 8)}`;
}

function fileName(url: URL): string {
  const last = url.pathname.split('/').findLast((part) => part !== '');
  try {
    return last === undefined ? url.hostname : decodeURIComponent(last).replaceAll('/', '_');
  } catch {
    return last ?? url.hostname;
  }
}

interface Target {
  readonly url: URL;
  readonly access: WebAccess;
  readonly signal: AbortSignal;
}

/** Not every server knows HEAD: then the body of a GET is thrown away. */
async function askForHead(target: Target): Promise<IncomingMessage> {
  try {
    const answer = await askWeb({ ...target, method: 'HEAD' });
    answer.resume();
    return answer;
  } catch (error) {
    const kind = error instanceof Failure ? error.kind : undefined;
    if (kind !== 'configuration_invalid' && kind !== 'permission_missing' && kind !== 'object_missing') throw error;
    const answer = await askWeb({ ...target, method: 'GET' });
    answer.destroy();
    return answer;
  }
}

function readHead(
  { headers }: IncomingMessage,
  url: URL,
): { bytes: number; modified: bigint | undefined; tag: string } {
  const length = Number(headers['content-length'] ?? Number.NaN);
  if (length > MOST_BYTES) throw new Failure('configuration_invalid', `${shownUrl(url)} is larger than 1 TiB`);
  const time = Date.parse(headers['last-modified'] ?? '');
  return {
    bytes: Number.isSafeInteger(length) ? length : 0,
    modified: Number.isNaN(time) ? undefined : BigInt(time) * 1000n,
    tag: headers.etag ?? headers['last-modified'] ?? '',
  };
}

function openWeb(file: ListedFile, target: Target): OpenFile {
  let held: Promise<Uint8Array> | undefined;
  const ask = async (range?: { start: number; end: number }): Promise<IncomingMessage> => {
    const headers = range ? { range: `bytes=${range.start}-${range.end - 1}` } : undefined;
    const answer = await askWeb({ ...target, method: 'GET', headers });
    if (readHead(answer, target.url).tag === file.tag) return answer;
    answer.destroy();
    throw new Failure('connection_lost', `${file.location} changed after it was listed`);
  };
  return {
    grown: false,
    async *stream() {
      yield* bodyOf(await ask(), target.url);
    },
    async range(start, end) {
      if (held !== undefined) return (await held).subarray(start, end);
      const answer = await ask({ start, end });
      if (answer.statusCode === 206) return collect(answer, target.url, end - start);
      // The server sent everything: kept, since it would do so for every part.
      if (file.bytes > MOST_HELD) {
        answer.destroy();
        throw new Failure('configuration_invalid', `${file.location} cannot be read in parts from its server`, {
          advice: 'Copy the file to a folder or a bucket, or serve it with support for ranges.',
        });
      }
      held = collect(answer, target.url, MOST_HELD);
      return (await held).subarray(start, end);
    },
    // Every answer was compared with the one that was listed.
    confirm: async () => {},
    close: async () => {},
  };
}

async function* bodyOf(answer: IncomingMessage, url: URL): AsyncGenerator<Uint8Array> {
  const promised = Number(answer.headers['content-length'] ?? Number.NaN);
  let bytes = 0;
  try {
    for await (const piece of answer) {
      bytes += (piece as Buffer).length;
      if (bytes > MOST_BYTES) throw new Failure('configuration_invalid', `${shownUrl(url)} is larger than 1 TiB`);
      yield piece as Buffer;
    }
  } catch (error) {
    throw explainWeb(error, url);
  } finally {
    answer.destroy();
  }
  if (bytes < promised) throw new Failure('connection_lost', `${shownUrl(url)} ended before its announced length`);
}

async function collect(answer: IncomingMessage, url: URL, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of bodyOf(answer, url)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > most) throw new Failure('storage_failed', `${shownUrl(url)} sent more than was asked for`);
  }
  return Buffer.concat(pieces);
}
