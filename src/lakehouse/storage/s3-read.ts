import type { Readable } from 'node:stream';
import { Failure } from '../../errors.ts';
import { isMissing, s3ErrorWord, s3Failure } from './s3-failure.ts';
import type { S3Place } from './s3-path.ts';
import type { S3Requests } from './s3-requests.ts';

/** A broken answer is taken up this often without a single byte in between. */
const TRIES = 6;

export interface S3Range {
  readonly start: number;
  /** Exclusive; the whole rest when undefined. */
  readonly end: number | undefined;
  /** The object must still be the one that bore this mark. */
  readonly tag?: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * The bytes of an object, as they come. Throws `object_missing` when there is none. A connection that breaks is taken up
 * at the next byte, if the object is still the same.
 */
export async function* readObject(requests: S3Requests, place: S3Place, range: S3Range): AsyncGenerator<Buffer> {
  let at = range.start;
  let { tag } = range;
  let tries = 0;
  for (;;) {
    const answer = await openRange(requests, place, { ...range, start: at, tag });
    if (answer === undefined) return;
    tag ??= answer.tag;
    try {
      for await (const piece of answer.body) {
        const bytes = piece as Buffer;
        at += bytes.length;
        tries = 0;
        yield bytes;
      }
      return;
    } catch (error) {
      if (range.signal?.aborted || ++tries >= TRIES) throw s3Failure(error, requests.scene(place.bucket));
      await requests.pause(tries);
    } finally {
      answer.body.destroy();
    }
  }
}

/** The whole object, or the given part of it, in memory. Undefined when there is no such object. */
export async function readWhole(
  requests: S3Requests,
  place: S3Place,
  range: { readonly start: number; readonly end: number | undefined },
): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of readObject(requests, place, { ...range, signal: undefined })) pieces.push(piece);
  } catch (error) {
    if (error instanceof Failure && isMissing(error.cause)) return undefined;
    throw error;
  }
  return Buffer.concat(pieces);
}

interface Answer {
  readonly body: Readable;
  readonly tag: string | undefined;
}

/** Undefined when the range begins at the end. */
async function openRange(
  requests: S3Requests,
  place: S3Place,
  { start, end, tag, signal }: S3Range,
): Promise<Answer | undefined> {
  const { bucket, key } = place;
  if (end !== undefined && end <= start) return undefined;
  const { sdk, client } = await requests.connect();
  const Range = start === 0 && end === undefined ? undefined : `bytes=${start}-${end === undefined ? '' : end - 1}`;
  const input = { Bucket: bucket, Key: key, ...(Range && { Range }), ...(tag && { IfMatch: tag }) };
  try {
    const { Body, ETag } = await client.send(new sdk.GetObjectCommand(input), signal ? { abortSignal: signal } : {});
    return { body: Body as Readable, tag: ETag };
  } catch (error) {
    const word = s3ErrorWord(error);
    if (word === 'InvalidRange') return undefined;
    const path = `${place.scheme}${bucket}/${key}`;
    if (word === 'PreconditionFailed') {
      throw new Failure('storage_failed', `The file "${path}" was changed while it was read.`, { cause: error });
    }
    if (isMissing(error)) throw new Failure('object_missing', `The file "${path}" does not exist.`, { cause: error });
    throw s3Failure(error, requests.scene(bucket));
  }
}
