import { s3ErrorWord, s3Status } from './s3-failure.ts';
import type { S3Place } from './s3-path.ts';
import { folderPrefix } from './s3-path.ts';
import type { S3Requests, Upload } from './s3-requests.ts';
import type { StoredFile } from './types.ts';

/** Everything below a folder, a page at a time, markers of empty folders (keys that end in a slash) included. */
export async function* listPages(
  requests: S3Requests,
  folder: S3Place,
  signal?: AbortSignal,
): AsyncGenerator<readonly (StoredFile & { readonly key: string })[]> {
  const { bucket, scheme } = folder;
  let token: string | undefined;
  do {
    const page = await requests.attempt(bucket, ({ sdk, client }) => {
      const input = { Bucket: bucket, Prefix: folderPrefix(folder), ...(token && { ContinuationToken: token }) };
      return client.send(new sdk.ListObjectsV2Command(input), signal ? { abortSignal: signal } : {});
    });
    yield (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified, ETag }) => ({
      key: Key,
      path: `${scheme}${bucket}/${Key}`,
      bytes: Size,
      modified: LastModified ?? new Date(0),
      tag: ETag,
    }));
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/**
 * Uploads below a folder that were begun and not ended. None where the store has no such list, does not let us see it, or
 * (as MinIO) lists single objects only; such stores end them by themselves, or by the rules of the bucket.
 */
export async function listUploads(requests: S3Requests, folder: S3Place): Promise<Upload[]> {
  const { bucket } = folder;
  const uploads: Upload[] = [];
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const from: { KeyMarker?: string; UploadIdMarker?: string } = marker;
    const page = await requests.attempt(bucket, async ({ sdk, client }) => {
      const input = { Bucket: bucket, Prefix: folderPrefix(folder), ...from };
      try {
        return await client.send(new sdk.ListMultipartUploadsCommand(input));
      } catch (error) {
        if (isUnknownCall(error)) return undefined;
        throw error;
      }
    });
    for (const { Key, UploadId } of page?.Uploads ?? []) {
      if (Key !== undefined && UploadId !== undefined) uploads.push({ bucket, key: Key, id: UploadId });
    }
    const { NextKeyMarker, NextUploadIdMarker } = page ?? {};
    marker =
      page?.IsTruncated && NextKeyMarker
        ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) }
        : undefined;
  }
  return uploads;
}

/** True when the store does not know the call, or the keys may not make it. */
export function isUnknownCall(error: unknown): boolean {
  const status = s3Status(error);
  const words = ['NotImplemented', 'MethodNotAllowed', 'AccessDenied', 'MissingContentMD5', 'UnsupportedOperation'];
  return status === 501 || status === 405 || words.includes(s3ErrorWord(error));
}
