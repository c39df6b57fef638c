import { Failure } from '../../errors.ts';
import type { S3Place } from './s3-path.ts';
import type { S3Requests, Upload, UploadedPart } from './s3-requests.ts';
import { abortUpload, beginUpload, completeUpload, objectSize } from './s3-upload.ts';

/** Parts of one object that are copied at once. */
const AT_ONCE = 4;
const MOST_PARTS = 10_000;

/**
 * Lets the store copy an object, without its bytes passing here: at once up to a size, in parts beyond it. The target
 * appears whole.
 */
export async function copyObject(requests: S3Requests, from: S3Place, to: S3Place): Promise<void> {
  const bytes = await objectSize(requests, from);
  if (bytes === undefined) {
    throw new Failure('storage_failed', `The file "${from.scheme}${from.bucket}/${from.key}" does not exist.`);
  }
  const CopySource = [from.bucket, ...from.key.split('/')].map(encodeURIComponent).join('/');
  if (bytes > requests.target.copyBytes) return copyParts(requests, to, { CopySource, bytes });
  await requests.attempt(to.bucket, ({ sdk, client }) =>
    client.send(new sdk.CopyObjectCommand({ Bucket: to.bucket, Key: to.key, CopySource })),
  );
}

interface Source {
  readonly CopySource: string;
  readonly bytes: number;
}

async function copyParts(requests: S3Requests, to: S3Place, source: Source): Promise<void> {
  const upload = await beginUpload(requests, to);
  const size = Math.max(requests.target.copyBytes, Math.ceil(source.bytes / MOST_PARTS));
  const count = Math.ceil(source.bytes / size);
  const parts: UploadedPart[] = [];
  let next = 1;
  const copySome = async (): Promise<void> => {
    while (next <= count) {
      const number = next++;
      const start = (number - 1) * size;
      const range = `bytes=${start}-${Math.min(start + size, source.bytes) - 1}`;
      parts.push(await copyPart(requests, upload, { number, range, CopySource: source.CopySource }));
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, copySome));
  const broken = outcomes.find((outcome) => outcome.status === 'rejected');
  if (broken === undefined) return completeUpload(requests, upload, { parts, total: source.bytes });
  await abortUpload(requests, upload).catch(() => undefined); // What went wrong first is told.
  throw broken.reason;
}

async function copyPart(
  requests: S3Requests,
  { bucket, key, id }: Upload,
  part: { readonly number: number; readonly range: string; readonly CopySource: string },
): Promise<UploadedPart> {
  return requests.attempt(bucket, async ({ sdk, client }) => {
    const { number, range, CopySource } = part;
    const command = new sdk.UploadPartCopyCommand({
      Bucket: bucket,
      Key: key,
      UploadId: id,
      PartNumber: number,
      CopySource,
      CopySourceRange: range,
    });
    const { CopyPartResult } = await client.send(command);
    return { number, tag: CopyPartResult?.ETag };
  });
}
