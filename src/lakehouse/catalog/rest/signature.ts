import { createHash, createHmac } from 'node:crypto';
import type { OutgoingRequest } from './http.ts';

export interface SigningKeys {
  /** Word of the service, e.g. `glue`, `s3tables`, `execute-api`. */
  readonly service: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

const escape = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** Headers that sign a request (AWS Signature Version 4, docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). */
export function signRequest(request: OutgoingRequest, keys: SigningKeys, now: Date): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/${keys.region}/${keys.service}/aws4_request`;
  const added: Record<string, string> = {
    'x-amz-date': time,
    ...(keys.sessionToken && { 'x-amz-security-token': keys.sessionToken }),
    ...(request.body !== undefined && { 'x-amz-content-sha256': sha256(request.body) }),
  };
  const headers = Object.entries({ host: request.url.host, ...request.headers, ...added })
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim().replaceAll(/ +/g, ' ')])
    .sort(([left], [right]) => (left < right ? -1 : 1));
  const names = headers.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    // Each part once more: every service but S3 escapes the path twice.
    request.url.pathname.split('/').map(escape).join('/'),
    canonicalQuery(request.url),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    sha256(request.body ?? ''),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${keys.secretKey}`);
  const signature = hmac(key, toSign).toString('hex');
  const credential = `Credential=${keys.accessKey}/${scope}`;
  return {
    ...added,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([key, value]) => `${escape(key)}=${escape(value)}`)
    .sort()
    .join('&');
}
