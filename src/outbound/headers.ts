import { Failure } from '../errors.ts';

type Headers = Readonly<Record<string, string>>;

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/i;
const MOST_HEADERS = 100;
const MOST_CHARACTERS = 16_384;

/** They say where a message ends, whom it is for and what becomes of the connection: ours alone. */
const OURS = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'expect',
  'accept-encoding',
]);

/** Lower-case names. Throws `bad_request` naming the header that cannot be sent; never its value. */
export function readHeaders(headers: Headers): Headers {
  const read: Record<string, string> = {};
  const entries = Object.entries(headers);
  if (entries.length > MOST_HEADERS) throw refuse(`a request has at most ${MOST_HEADERS} headers`);
  let characters = 0;
  for (const [name, value] of entries) {
    const key = name.toLowerCase();
    if (!TOKEN.test(name)) throw refuse(`${JSON.stringify(name.slice(0, 64))} is no name of a header`);
    if (OURS.has(key)) throw refuse(`header ${key} cannot be set`);
    if (Object.hasOwn(read, key)) throw refuse(`header ${key} is given twice`);
    if (typeof value !== 'string' || !/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) {
      throw refuse(`header ${key} holds line breaks or characters that no header can hold`);
    }
    characters += name.length + value.length;
    // As own property whatever the name is, `__proto__` too.
    Object.defineProperty(read, key, { value, enumerable: true });
  }
  if (characters > MOST_CHARACTERS) throw refuse(`the headers have more than ${MOST_CHARACTERS} characters together`);
  return read;
}

/** Throws `bad_request` for what is no method, or opens a tunnel. */
export function readMethod(method: string): string {
  if (TOKEN.test(method) && !/^(connect|trace)$/i.test(method)) return method.toUpperCase();
  throw refuse('this is no method that can be sent');
}

function refuse(message: string): Failure {
  return new Failure('bad_request', message);
}
