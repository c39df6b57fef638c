import { open, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * Runs `work` with a `fetch` that also answers local paths and `file://` URLs: whole files, HEAD and byte ranges. For
 * readers of other people that speak HTTP only, such as icebird.
 */
export async function withLocalFiles<T>(work: () => Promise<T>): Promise<T> {
  const remoteFetch = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const url = String(input);
    if (url.startsWith('/')) return answerFile(url, init);
    return url.startsWith('file:') ? answerFile(fileURLToPath(url), init) : remoteFetch(input, init);
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = remoteFetch;
  }
}

async function answerFile(path: string, init: RequestInit | undefined): Promise<Response> {
  const { size } = await stat(path);
  if (init?.method === 'HEAD') return new Response(null, { headers: { 'content-length': String(size) } });
  const range = /bytes=(\d+)-(\d*)/.exec(new Headers(init?.headers).get('range') ?? '');
  if (!range) return new Response(await readFile(path));
  const start = Number(range[1]);
  const end = Math.min(range[2] ? Number(range[2]) : size - 1, size - 1);
  const file = await open(path);
  try {
    const bytes = new Uint8Array(end - start + 1);
    await file.read(bytes, 0, bytes.length, start);
    return new Response(bytes, { status: 206, headers: { 'content-range': `bytes ${start}-${end}/${size}` } });
  } finally {
    await file.close();
  }
}
