import { Failure } from '../../errors.ts';
import { isUnknownCall, listPages, listUploads } from './s3-list.ts';
import type { S3Place } from './s3-path.ts';
import type { S3Requests } from './s3-requests.ts';
import { abortUpload } from './s3-upload.ts';

/** Removes one object; no error when it is gone. */
export async function removeObject(
  requests: S3Requests,
  { bucket, key }: Pick<S3Place, 'bucket' | 'key'>,
): Promise<void> {
  await requests.attempt(bucket, ({ sdk, client }) =>
    client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key })),
  );
}

/** Removes everything below a folder, and gives up uploads that were begun there. */
export async function removeBelow(requests: S3Requests, folder: S3Place): Promise<void> {
  for await (const page of listPages(requests, folder)) {
    await removeKeys(
      requests,
      folder.bucket,
      page.map((file) => file.key),
    );
  }
  for (const upload of await listUploads(requests, folder)) await abortUpload(requests, upload);
}

/** Up to a thousand objects by one request; one by one where the store does not know it. */
async function removeKeys(requests: S3Requests, bucket: string, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const batched = await requests.attempt(bucket, async ({ sdk, client }) => {
    const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
    try {
      const { Errors = [] } = await client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete }));
      const [first] = Errors;
      if (first === undefined) return true;
      throw new Failure(
        'storage_failed',
        `"${first.Key}" in the S3 bucket "${bucket}" cannot be removed (${first.Code}).`,
      );
    } catch (error) {
      if (isUnknownCall(error)) return false;
      throw error;
    }
  });
  if (!batched) for (const key of keys) await removeObject(requests, { bucket, key });
}
