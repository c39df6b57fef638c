import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { TestS3 } from './s3.ts';
import { startS3 } from './s3.ts';

/** A place of its own in a bucket, for a test that has a folder of its own. */
export interface S3TestPlace {
  readonly bucket: string;
  readonly path: string;
  readonly settings: TestS3['settings'];
}

let shared: Promise<TestS3> | undefined;

/** The S3 server of this process, started by whoever needs it first; it keeps no process alive. */
export function sharedS3(): Promise<TestS3> {
  return (shared ??= startS3());
}

/**
 * The place that belongs to a folder: made by the first process that asks, and found again by those that it starts, as
 * long as it lives.
 */
export async function openS3Place(folder: string): Promise<S3TestPlace> {
  const file = join(folder, 's3.json');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known !== undefined) return JSON.parse(known) as S3TestPlace;
  const { settings, makeBucket } = await sharedS3();
  const bucket = await makeBucket('conformance');
  const place = { bucket, path: basename(folder), settings };
  await writeFile(file, JSON.stringify(place));
  return place;
}

/**
 * Runs `work` with a `fetch` that takes `s3://` addresses, and those that stand for them at Amazon, to this server, which
 * lets anybody read. For readers of other people that know no endpoints, such as icebird.
 */
export async function withS3Files<T>(endpoint: string, work: () => Promise<T>): Promise<T> {
  const remoteFetch = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const text = String(input);
    const found =
      /^s3a?:\/\/([^/]+)\/(.*)$/.exec(text) ??
      /^https:\/\/([^/]+)\.s3(?:\.[a-z0-9-]+)?\.amazonaws\.com\/(.*)$/.exec(text);
    if (!found) return remoteFetch(input, init);
    return remoteFetch(`${endpoint}/${found[1]}/${encodeURI(decodeURI(found[2]!))}`, init);
  };
  try {
    return await work();
  } finally {
    globalThis.fetch = remoteFetch;
  }
}
