import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { S3Client } from '@aws-sdk/client-s3';
import type { S3Target } from './s3-settings.ts';
import { refuseMetadataAddress } from './s3-settings.ts';

/** The SDK and a client of it. */
export interface S3Connection {
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly client: S3Client;
}

/** Requests are repeated this often, with growing random pauses, while the store is slow or the network breaks. */
const TRIES = 7;
const LONGEST_REQUEST_MS = 60_000;
const LONGEST_SILENCE_MS = 60_000;

/**
 * A client that is made when it is first asked for: loading the SDK takes a tenth of a second and 35 MB, which nobody
 * pays who has no S3. Checksums go by the signature's own hash of the body: the newer ones are unknown to many stores.
 */
export function createS3Connector(target: S3Target): () => Promise<S3Connection> {
  let opened: Promise<S3Connection> | undefined;
  return () => (opened ??= open(target));
}

async function open(target: S3Target): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const agent = { keepAlive: true, maxSockets: 64, lookup: lookupStore };
  const client = new sdk.S3Client({
    region: target.region,
    ...(target.credentials && { credentials: target.credentials }),
    ...(target.endpoint !== undefined && { endpoint: target.endpoint }),
    forcePathStyle: target.pathStyle,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: TRIES,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: 4_000,
      requestTimeout: target.timeoutMs ?? LONGEST_REQUEST_MS,
      throwOnRequestTimeout: true,
      socketTimeout: target.timeoutMs ?? LONGEST_SILENCE_MS,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
  return { sdk, client };
}

/** Looks up a host as usual, and refuses one whose name leads to a metadata service. */
const lookupStore: LookupFunction = (host, options, answer) => {
  lookup(host, options, (error, found, family) => {
    try {
      if (!error) for (const one of addressesOf(found)) refuseMetadataAddress(one);
      answer(error, found, family);
    } catch (refused) {
      answer(refused as NodeJS.ErrnoException, '', 4);
    }
  });
};

function addressesOf(found: string | readonly { readonly address: string }[]): string[] {
  return typeof found === 'string' ? [found] : found.map(({ address }) => address);
}
