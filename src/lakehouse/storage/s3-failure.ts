import { Failure } from '../../errors.ts';
import type { FailureKind } from '../../errors.ts';

/** Where something failed, as people know it. */
export interface S3Scene {
  readonly bucket: string;
  readonly endpoint: string | undefined;
  readonly region: string;
}

/** What an SDK error carries; all of it may be missing. */
interface S3Error {
  readonly name?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly message?: string;
  readonly Region?: string;
  readonly errors?: readonly S3Error[];
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

interface Sentence {
  readonly kind: FailureKind;
  readonly says: (scene: S3Scene, error: S3Error) => string;
  readonly advice?: string;
}

const refusedKeys: Sentence = {
  kind: 'credentials_refused',
  says: () => 'does not know the access key, or the secret key does not belong to it',
  advice: 'Check the access key and the secret key.',
};
const wrongRegion: Sentence = {
  kind: 'configuration_invalid',
  says: ({ region }, error) =>
    `lies in ${realRegion(error) ?? 'another region or at another endpoint'}, not in ${region}`,
  advice: 'Correct the region, or the endpoint, of the connection.',
};
const forbidden: Sentence = {
  kind: 'permission_missing',
  says: () => 'refuses this',
  advice:
    'Grant s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on its objects.',
};
const expired: Sentence = {
  kind: 'credentials_refused',
  says: () => 'refuses the session token: it has expired or is not valid',
  advice: 'Renew the temporary keys.',
};
const skewed: Sentence = {
  kind: 'configuration_invalid',
  says: () => 'refuses the request because the clocks of the store and of this server differ too much',
  advice: 'Set the clock of this server.',
};
const slow: Sentence = {
  kind: 'storage_failed',
  says: () => 'asks for fewer requests, and kept doing so while they were repeated',
  advice: 'The next attempt goes on; lower the number of threads if it happens again.',
};
const outOfOrder: Sentence = {
  kind: 'storage_failed',
  says: (_, error) =>
    `fails by itself (${[s3ErrorWord(error), s3Status(error)].filter(Boolean).join(', ')}), and kept doing so while requests were repeated`,
  advice: 'The next attempt goes on; look after the store if it happens again.',
};
const full: Sentence = { kind: 'storage_failed', says: () => 'has no space left, or its quota is used up' };
const noCredentials: Sentence = {
  kind: 'credentials_refused',
  says: () => 'needs keys: the connection holds none, and the surroundings of this server offer none',
  advice: 'Enter an access key and a secret key, or run the server with a role or AWS_* variables.',
};
const missingFile: Sentence = { kind: 'storage_failed', says: () => 'no longer holds a file that is needed' };
const endedUpload: Sentence = {
  kind: 'storage_failed',
  says: () => 'no longer knows an upload that was under way: somebody, or a rule of the bucket, has ended it',
};
const missingBucket: Sentence = { kind: 'object_missing', says: () => 'does not exist' };

const sentences: Readonly<Record<string, Sentence>> = {
  NoSuchBucket: missingBucket,
  NoSuchKey: missingFile,
  NoSuchUpload: endedUpload,
  InvalidBucketName: { kind: 'configuration_invalid', says: () => 'has a name that the store does not accept' },
  AccessDenied: forbidden,
  Forbidden: forbidden,
  AllAccessDisabled: forbidden,
  InvalidAccessKeyId: refusedKeys,
  SignatureDoesNotMatch: refusedKeys,
  ExpiredToken: expired,
  TokenRefreshRequired: expired,
  InvalidToken: expired,
  InvalidSecurity: expired,
  RequestTimeTooSkewed: skewed,
  RequestExpired: skewed,
  PermanentRedirect: wrongRegion,
  TemporaryRedirect: wrongRegion,
  Redirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  SlowDown: slow,
  TooManyRequests: slow,
  ThrottlingException: slow,
  RequestLimitExceeded: slow,
  ServiceUnavailable: slow,
  QuotaExceeded: full,
  InsufficientCapacity: full,
  XMinioStorageFull: full,
  CredentialsProviderError: noCredentials,
};

const networkSentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'cannot be reached: nothing listens there',
  ENOTFOUND: 'cannot be reached: no such host is known',
  EAI_AGAIN: 'cannot be reached: names cannot be looked up now',
  EHOSTUNREACH: 'cannot be reached: there is no way to the host',
  ENETUNREACH: 'cannot be reached: there is no way to the host',
  ETIMEDOUT: 'does not answer in time',
  TimeoutError: 'does not answer in time',
  EPROTO: 'does not speak TLS as expected: check http and https in the endpoint',
};

/** The word by which the store or the network names an error. */
export function s3ErrorWord(thrown: unknown): string {
  const { name, code, Code, errors } = (thrown ?? {}) as S3Error;
  if (errors !== undefined && errors.length > 0) return s3ErrorWord(errors[0]);
  return [Code, code, name].find((word) => word !== undefined && word !== 'Error' && word !== '') ?? 'Error';
}

/** The status of the answer; undefined when there was none. */
export function s3Status(thrown: unknown): number | undefined {
  return ((thrown ?? {}) as S3Error).$metadata?.httpStatusCode;
}

/** True for what a read of something that does not exist throws. A missing bucket is none of it. */
export function isMissing(thrown: unknown): boolean {
  const word = s3ErrorWord(thrown);
  return word === 'NoSuchKey' || word === 'NotFound' || (s3Status(thrown) === 404 && !word.includes('Bucket'));
}

/** What an S3 request threw, as a failure that names the bucket and a remedy. A `Failure` passes unchanged. */
export function s3Failure(thrown: unknown, scene: S3Scene): Failure {
  if (thrown instanceof Failure) return thrown;
  const { cause } = thrown as { cause?: unknown };
  if (cause instanceof Failure) return cause;
  const error = thrown as S3Error;
  const word = s3ErrorWord(thrown);
  const place = `The S3 bucket "${scene.bucket}"${scene.endpoint === undefined ? '' : ` at ${scene.endpoint}`}`;
  const known = sentences[word] ?? byStatus(s3Status(thrown));
  if (known) {
    const { kind, says, advice } = known;
    return new Failure(kind, `${place} ${says(scene, error)}.`, { cause: thrown, ...(advice && { advice }) });
  }
  const network = networkSentences[word] ?? (/CERT|SELF_SIGNED|ALTNAME/.test(word) ? certificate : undefined);
  if (network !== undefined) return new Failure('unreachable', `${place} ${network}.`, { cause: thrown });
  if (/^(ECONN|EPIPE|ERR_STREAM|ERR_SSL|HPE_)|aborted|socket/i.test(`${word} ${error.message ?? ''}`)) {
    return new Failure('connection_lost', `${place} broke the connection (${word}).`, { cause: thrown });
  }
  const status = s3Status(thrown);
  return new Failure('storage_failed', `${place} failed (${[word, status].filter(Boolean).join(', ')}).`, {
    cause: thrown,
  });
}

const certificate = 'shows a certificate that this server does not trust';

function byStatus(status: number | undefined): Sentence | undefined {
  if (status === 301 || status === 307) return wrongRegion;
  if (status === 403) return forbidden;
  if (status === 404) return missingBucket;
  if (status === 429 || status === 503) return slow;
  if (status === 507) return full;
  return status !== undefined && status >= 500 ? outOfOrder : undefined;
}

function realRegion(error: S3Error): string | undefined {
  return error.Region ?? error.$response?.headers?.['x-amz-bucket-region'];
}
