import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { createHash, createHmac, type BinaryLike } from 'node:crypto';
import { describe, it } from 'node:test';
import { signRequest } from './signature.ts';

const keys = {
  service: 'service',
  region: 'us-east-1',
  accessKey: 'AKIDEXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const now = new Date('2015-08-30T12:36:00Z');

describe('a signed request', () => {
  it('has the signature of the published example', () => {
    const request = { method: 'GET', url: new URL('https://example.amazonaws.com/'), headers: {} };
    assert.equal(
      signRequest(request, keys, now).authorization,
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
        'SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
  });

  it('has the signature that the SDK computes, with a body, a query and escaped paths', async () => {
    const { SignatureV4 } = createRequire(import.meta.resolve('@aws-sdk/client-s3'))(
      '@smithy/signature-v4',
    ) as typeof import('@smithy/signature-v4');
    class Sha256 {
      readonly #hash;
      constructor(secret?: BinaryLike) {
        this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
      }
      update(data: BinaryLike): void {
        this.#hash.update(data);
      }
      digest = async (): Promise<Uint8Array> => this.#hash.digest();
    }
    const url = new URL(
      'https://glue.eu-west-1.amazonaws.com/iceberg/v1/namespaces/a%1Fb%20c/tables?pageToken=x%2By&a=%C3%A9',
    );
    const body = '{"name":"t"}';
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const signer = new SignatureV4({
      service: 'glue',
      region: 'eu-west-1',
      credentials: { accessKeyId: keys.accessKey, secretAccessKey: keys.secretKey, sessionToken: 'token' },
      sha256: Sha256 as never,
    });
    const theirs = await signer.sign(
      {
        method: 'POST',
        protocol: 'https:',
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { ...headers, host: url.host },
        body,
      },
      { signingDate: now },
    );
    const ours = signRequest(
      { method: 'POST', url, headers, body },
      { ...keys, service: 'glue', region: 'eu-west-1', sessionToken: 'token' },
      now,
    );
    assert.equal(ours['authorization'], theirs.headers['authorization']);
  });
});
