import { Failure } from '../../errors.ts';

/** An object, or with an empty or slash-ended key a prefix. */
export interface S3Place {
  readonly bucket: string;
  readonly key: string;
  /** How the path names the store: `s3://`, or a synonym that other engines wrote. Listings answer in the same words. */
  readonly scheme: string;
}

/** True for paths that name an object store: `s3://`, and `s3a://` and `s3n://` as other engines spell it. */
export function isS3Path(path: string): boolean {
  return /^s3[an]?:\/\//i.test(path);
}

/**
 * Bucket and key of a path. Keys are taken literally, nothing is decoded. Refuses what a URL would be read differently
 * from: empty, `.` and `..` segments, control characters; and bucket names that are none.
 */
export function parseS3Path(path: string): S3Place {
  const match = /^(s3[an]?:\/\/)([^/]*)\/?(.*)$/is.exec(path);
  if (!match) throw invalid(path, 'is no s3:// path');
  const [, scheme = '', bucket = '', key = ''] = match;
  checkBucket(bucket);
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not reach a key
  if (/[\u0000-\u001f\u007f]/.test(key)) throw invalid(path, 'holds a control character');
  const segments = key.replace(/\/$/, '').split('/');
  if (key !== '' && segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalid(path, 'holds an empty, "." or ".." segment');
  }
  if (Buffer.byteLength(key) > 1024) throw invalid(path, 'is longer than the 1024 bytes that S3 takes');
  return { bucket, key, scheme };
}

/** Throws `configuration_invalid` for what cannot be the name of a bucket. */
export function checkBucket(bucket: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/.test(bucket) && !bucket.includes('..')) return;
  throw new Failure('configuration_invalid', `"${bucket}" is not the name of an S3 bucket.`);
}

/** The prefix of everything below a folder: empty for a whole bucket, else with a slash at the end. */
export function folderPrefix({ key }: S3Place): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`;
}

function invalid(path: string, reason: string): Failure {
  return new Failure('configuration_invalid', `The path "${path}" ${reason}.`);
}
