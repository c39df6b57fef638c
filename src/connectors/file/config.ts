import type { FileSettings, Fields, WebAccess } from '../../files/index.ts';
import { asFields, invalid, objectAt, readFileSettings, textAt } from '../../files/index.ts';

export interface FileConfig {
  readonly urls: readonly string[];
  readonly settings: FileSettings;
  readonly s3: S3Access;
  readonly http: WebAccess;
}

export interface S3Access {
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly endpoint: string;
}

const MOST_URLS = 1000;

/** Reads a configuration; unknown keys are ignored, a wrong value is a `configuration_invalid` failure that names the field. */
export function parseConfig(config: unknown): FileConfig {
  const fields = asFields(config, 'config');
  const s3 = objectAt(fields, 's3');
  const http = objectAt(fields, 'http');
  return {
    urls: readUrls(fields),
    settings: readFileSettings(fields),
    s3: {
      region: textAt(s3, 'region', ''),
      accessKey: textAt(s3, 'access_key_id', ''),
      secretKey: textAt(s3, 'secret_access_key', ''),
      endpoint: textAt(s3, 'endpoint', ''),
    },
    http: {
      username: textAt(http, 'username', ''),
      password: textAt(http, 'password', ''),
      headers: readHeaders(objectAt(http, 'headers')),
    },
  };
}

function readUrls(fields: Fields): string[] {
  const list = fields['urls'] ?? [];
  if (!Array.isArray(list) || list.length > MOST_URLS) throw invalid('urls', `must be a list of at most ${MOST_URLS}`);
  const urls = list.map((url: unknown) => {
    if (typeof url !== 'string' || url.trim() === '') throw invalid('urls', 'must not hold blank entries');
    return url.trim();
  });
  const first = textAt(fields, 'url', '').trim();
  if (first === '' && urls.length === 0) throw invalid('url', 'is required');
  return [...new Set(first === '' ? urls : [first, ...urls])];
}

function readHeaders(headers: Fields): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (typeof value !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0]/.test(value)) {
        throw invalid('http.headers', 'must hold names and texts of HTTP headers');
      }
      return [name, value];
    }),
  );
}
