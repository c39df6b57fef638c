import { BlockList, isIP } from 'node:net';
import { Failure } from '../../errors.ts';

/** How an S3 store is reached. */
export interface S3Settings {
  /** `us-east-1` when absent; stores other than Amazon's mostly take any. */
  readonly region?: string;
  /** Both or none: without them those of the server's own surroundings are used (environment, profile, role). */
  readonly accessKey?: string;
  readonly secretKey?: string;
  readonly sessionToken?: string;
  /** `http://host:9000`, or `host:9000`; absent for Amazon's own. */
  readonly endpoint?: string;
  /** Bucket in the path instead of the host name. When absent: yes with an endpoint, no without. */
  readonly pathStyle?: boolean;
  /** For an endpoint without scheme: true when absent. */
  readonly tls?: boolean;
  /** Smallest size of one part of an upload; 8 MiB when absent. S3 takes no less than 5 MiB. */
  readonly partBytes?: number;
  /** Larger files are copied in parts of this size; 256 MiB when absent. */
  readonly copyBytes?: number;
  /** How long a request, or a silence within one, may last; a minute when absent. */
  readonly timeoutMs?: number;
}

/** Settings after their check. */
export interface S3Target {
  readonly region: string;
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
    | undefined;
  readonly endpoint: string | undefined;
  readonly pathStyle: boolean;
  readonly partBytes: number;
  readonly copyBytes: number;
  readonly timeoutMs: number | undefined;
}

const PART_BYTES = 8 << 20;
const COPY_BYTES = 256 << 20;

/**
 * Checks settings. Throws `configuration_invalid` for half a pair of keys, and for an endpoint that is no web address or
 * that lies where machines serve their own credentials.
 */
export function readS3Settings(settings: S3Settings): S3Target {
  const { accessKey = '', secretKey = '', sessionToken = '' } = settings;
  if ((accessKey === '') !== (secretKey === '')) {
    throw invalid(
      'Give both the access key and the secret key of S3, or neither to use the surroundings of the server.',
    );
  }
  const region = settings.region?.trim() || 'us-east-1';
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) throw invalid(`"${region}" is not the name of an S3 region.`);
  const endpoint = readEndpoint(settings.endpoint?.trim() ?? '', settings.tls ?? true);
  const pair = { accessKeyId: accessKey, secretAccessKey: secretKey };
  return {
    region,
    credentials: accessKey === '' ? undefined : { ...pair, ...(sessionToken !== '' && { sessionToken }) },
    endpoint,
    pathStyle: settings.pathStyle ?? endpoint !== undefined,
    partBytes: settings.partBytes ?? PART_BYTES,
    copyBytes: settings.copyBytes ?? COPY_BYTES,
    timeoutMs: settings.timeoutMs,
  };
}

function readEndpoint(text: string, tls: boolean): string | undefined {
  if (text === '') return undefined;
  const spelled = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `${tls ? 'https' : 'http'}://${text}`;
  const url = URL.canParse(spelled) ? new URL(spelled) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw invalid(`The S3 endpoint "${text}" is no web address such as https://host:9000.`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalid('The S3 endpoint must hold neither keys nor a query; give keys in their own fields.');
  }
  const host = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (host === 'metadata.google.internal') throw refusedAddress(host);
  refuseMetadataAddress(host);
  return url.href.replace(/\/+$/, '');
}

/** Where machines in clouds hand out their credentials to whoever asks. */
const closed = new BlockList();
closed.addSubnet('169.254.0.0', 16, 'ipv4');
closed.addSubnet('fe80::', 10, 'ipv6');
closed.addAddress('fd00:ec2::254', 'ipv6');
closed.addAddress('100.100.100.200', 'ipv4');

/**
 * Throws `configuration_invalid` for addresses of metadata services. Endpoints are the user's choice otherwise, private
 * networks included: that is where stores stand. Names are looked up by the caller and checked again.
 */
export function refuseMetadataAddress(host: string): void {
  const family = isIP(host);
  // BlockList knows addresses of version 4 in their version 6 spelling, too.
  if (family !== 0 && closed.check(host, family === 4 ? 'ipv4' : 'ipv6')) throw refusedAddress(host);
}

function refusedAddress(host: string): Failure {
  return invalid(`The S3 endpoint "${host}" is the address of a metadata service, which no store has.`);
}

function invalid(message: string): Failure {
  return new Failure('configuration_invalid', message);
}
