import { Failure } from '../../errors.ts';
import { isMissing, s3ErrorWord } from './s3-failure.ts';
import type { S3Place } from './s3-path.ts';
import type { S3Requests, Upload, UploadedPart } from './s3-requests.ts';
import type { OutputFile } from './types.ts';

/** Parts of one file that are on their way at once. */
const IN_FLIGHT = 2;
/** S3 takes ten thousand parts, so later ones grow: all equal to the thousandth (some stores ask that), then doubling. */
const EQUAL_PARTS = 1000;
const FIRST_BUFFER_BYTES = 64 << 10;

/** The size of the part with this number (from 1): ten thousand of them hold more than the 5 TB of an object. */
export function partSize(number: number, least: number): number {
  return least * 2 ** Math.floor((number - 1) / EQUAL_PARTS);
}

/**
 * A new object. What fits into one part is put at once when the file is closed; else parts are uploaded as they fill, at
 * most two on their way beside the one that fills, and put together at the end. Until then nobody sees anything.
 */
export function createS3Output(requests: S3Requests, place: S3Place): OutputFile {
  const parts = createParts(requests, place);
  const filling = createPartBuffer();
  let state: 'open' | 'closed' | 'gone' = 'open';
  let total = 0;

  return {
    async write(pieces) {
      for (const piece of pieces) {
        total += piece.length;
        for (let from = 0; from < piece.length;) {
          const size = partSize(parts.next, requests.target.partBytes);
          from += filling.take(piece.subarray(from), size);
          if (filling.bytes === size) filling.giveBack(await parts.send(filling.hand()));
        }
      }
    },
    async close() {
      if (parts.next === 1) await putObject(requests, place, filling.hand());
      else {
        if (filling.bytes > 0) await parts.send(filling.hand());
        await parts.finish(total);
      }
      state = 'closed';
    },
    async abort() {
      if (state !== 'open') return;
      state = 'gone';
      filling.hand();
      await parts.abort();
    },
  };
}

/** Puts a whole object. */
export async function putObject(requests: S3Requests, { bucket, key }: S3Place, body: Uint8Array): Promise<void> {
  await requests.attempt(bucket, ({ sdk, client }) =>
    client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: body })),
  );
}

/** Bytes gathered for one part. Small files stay in a small buffer; full ones are used again. */
interface PartBuffer {
  readonly bytes: number;
  /** Takes what fits below `size`; answers how much. */
  take(piece: Uint8Array, size: number): number;
  hand(): Buffer;
  giveBack(spare: Buffer | undefined): void;
}

function createPartBuffer(): PartBuffer {
  let buffer: Buffer = Buffer.alloc(0);
  let bytes = 0;
  let spare: Buffer | undefined;

  function makeRoom(wanted: number, size: number): void {
    if (wanted <= buffer.length) return;
    if (bytes === 0 && spare !== undefined && spare.length === size) {
      buffer = spare;
      spare = undefined;
      return;
    }
    const larger = Buffer.allocUnsafeSlow(Math.min(size, Math.max(wanted, buffer.length * 2, FIRST_BUFFER_BYTES)));
    buffer.copy(larger, 0, 0, bytes);
    buffer = larger;
  }
  return {
    get bytes() {
      return bytes;
    },
    take(piece, size) {
      const count = Math.min(piece.length, size - bytes);
      makeRoom(bytes + count, size);
      buffer.set(piece.subarray(0, count), bytes);
      bytes += count;
      return count;
    },
    hand() {
      const full = buffer.subarray(0, bytes);
      buffer = Buffer.alloc(0);
      bytes = 0;
      return full;
    },
    giveBack(returned) {
      spare = returned ?? spare;
    },
  };
}

interface Parts {
  /** The number of the next part, from 1. */
  readonly next: number;
  /** Starts the upload of a part once there is room for it. Answers a buffer that is free again, if one is. */
  send(body: Buffer): Promise<Buffer | undefined>;
  finish(total: number): Promise<void>;
  /** Never throws. */
  abort(): Promise<void>;
}

function createParts(requests: S3Requests, place: S3Place): Parts {
  const stop = new AbortController();
  const flying = new Set<Promise<void>>();
  const taken: UploadedPart[] = [];
  const free: Buffer[] = [];
  let upload: Upload | undefined;
  let next = 1;
  let broken: unknown;

  const landed = async (most: number): Promise<void> => {
    while (flying.size > most) await Promise.race(flying);
    if (broken !== undefined) throw broken;
  };
  const fly = async (number: number, body: Buffer): Promise<void> => {
    try {
      taken.push(await sendPart(requests, upload!, { number, body, signal: stop.signal }));
      free.push(body);
    } catch (error) {
      broken ??= error;
    } finally {
      requests.room.give();
    }
  };

  return {
    get next() {
      return next;
    },
    async send(body) {
      upload ??= await beginUpload(requests, place);
      await landed(IN_FLIGHT - 1);
      await requests.room.take();
      const flight = fly(next++, body).finally(() => flying.delete(flight));
      flying.add(flight);
      return free.pop();
    },
    async finish(total) {
      await landed(0);
      await completeUpload(requests, upload!, { parts: taken, total });
    },
    async abort() {
      stop.abort();
      await Promise.all(flying);
      if (upload !== undefined) await abortUpload(requests, upload).catch(() => undefined); // Recovery tries again.
    },
  };
}

export async function beginUpload(requests: S3Requests, { bucket, key }: S3Place): Promise<Upload> {
  return requests.attempt(bucket, async ({ sdk, client }) => {
    const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
    if (UploadId === undefined)
      throw new Failure('storage_failed', `The S3 bucket "${bucket}" began an upload without a name.`);
    return { bucket, key, id: UploadId };
  });
}

async function sendPart(
  requests: S3Requests,
  { bucket, key, id }: Upload,
  { number, body, signal }: { readonly number: number; readonly body: Buffer; readonly signal: AbortSignal },
): Promise<UploadedPart> {
  return requests.attempt(bucket, async ({ sdk, client }) => {
    const command = new sdk.UploadPartCommand({
      Bucket: bucket,
      Key: key,
      UploadId: id,
      PartNumber: number,
      Body: body,
    });
    const { ETag } = await client.send(command, { abortSignal: signal });
    return { number, tag: ETag };
  });
}

/** Puts the parts together. When the answer to an earlier try was lost, the object is there and the upload is not. */
export async function completeUpload(
  requests: S3Requests,
  { bucket, key, id }: Upload,
  { parts, total }: { readonly parts: readonly UploadedPart[]; readonly total: number },
): Promise<void> {
  const ordered = [...parts].sort((a, b) => a.number - b.number);
  const Parts = ordered.map((part) => ({ PartNumber: part.number, ETag: part.tag }));
  await requests.attempt(bucket, async ({ sdk, client }) => {
    const input = { Bucket: bucket, Key: key, UploadId: id, MultipartUpload: { Parts } };
    try {
      await client.send(new sdk.CompleteMultipartUploadCommand(input));
    } catch (error) {
      if (s3ErrorWord(error) !== 'NoSuchUpload' || (await objectSize(requests, { bucket, key })) !== total) throw error;
    }
  });
}

/** Gives up an upload; no error when it is gone. */
export async function abortUpload(requests: S3Requests, { bucket, key, id }: Upload): Promise<void> {
  await requests.attempt(bucket, async ({ sdk, client }) => {
    try {
      await client.send(new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id }));
    } catch (error) {
      if (s3ErrorWord(error) !== 'NoSuchUpload') throw error;
    }
  });
}

/** Undefined when there is no such object. */
export async function objectSize(
  requests: S3Requests,
  { bucket, key }: Pick<S3Place, 'bucket' | 'key'>,
): Promise<number | undefined> {
  return requests.attempt(bucket, async ({ sdk, client }) => {
    try {
      return (await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }))).ContentLength ?? 0;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
}
