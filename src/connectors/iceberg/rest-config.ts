import type { RestCredentials } from '../../lakehouse/index.ts';
import { invalid, isTrue, readText as text } from './fields.ts';

/** A catalog that another system serves by the Iceberg REST protocol. */
export interface RestConfig {
  readonly type: 'rest';
  readonly url: string;
  /** Name of the warehouse for the catalog. */
  readonly warehouse: string | undefined;
  readonly credentials: RestCredentials;
}

type Writer = Readonly<Record<string, unknown>>;

/** Reads the keys of a REST catalog; the presets differ in what they require only. */
export function readRestCatalog(word: string, writer: Writer): RestConfig {
  const url = text(writer['rest_catalog_url']);
  if (url === '') throw invalid('rest_catalog_url', '"rest_catalog_url" must name the address of the catalog.');
  if (!/^https?:\/\/[^/]/i.test(url)) {
    throw invalid('rest_catalog_url', '"rest_catalog_url" must begin with http:// or https://.');
  }
  if ((word === 'nessie' || word === 'polaris') && text(writer['aws_region']) === '') {
    throw invalid('aws_region', `A ${word} catalog needs "aws_region".`);
  }
  const warehouse = text(writer['warehouse']) || text(writer['iceberg_s3_path']) || undefined;
  return { type: 'rest', url, warehouse, credentials: readCredentials(word, writer) };
}

function readCredentials(word: string, writer: Writer): RestCredentials {
  if (isTrue(writer['rest_signing_v_4'])) return readSignature(writer);
  const asked = text(writer['rest_auth_type']) || impliedType(writer);
  switch (asked.toLowerCase()) {
    case 'none':
      if (word === 'unity') throw invalid('rest_auth_type', 'A unity catalog needs OAuth2 or a token.');
      return { type: 'none' };
    case 'token':
    case 'pat':
      return { type: 'token', token: required(writer, 'token') };
    case 'oauth2':
    case 'oauth2 m2m':
      return readOauth(writer);
    case 'oauth2 u2m':
    case 'token federation':
      // Somebody signed in elsewhere; what came of it is a token.
      return { type: 'token', token: required(writer, 'token') };
    default:
      throw invalid('rest_auth_type', `"${asked}" is no way to sign in at a REST catalog.`);
  }
}

function impliedType(writer: Writer): string {
  if (text(writer['credential']) !== '') return 'OAuth2';
  return text(writer['token']) === '' ? 'None' : 'Token';
}

function readOauth(writer: Writer): RestCredentials {
  const uri = text(writer['oauth2_uri']);
  const scope = text(writer['scope']);
  if (uri !== '' && (!URL.canParse(uri) || !/^https?:/i.test(uri))) {
    throw invalid('oauth2_uri', '"oauth2_uri" must be an http(s) URL.');
  }
  const credential = required(writer, 'credential');
  return { type: 'oauth2', credential, ...(uri !== '' && { uri }), ...(scope !== '' && { scope }) };
}

function readSignature(writer: Writer): RestCredentials {
  const keys = {
    service: text(writer['rest_signing_name']) || 'execute-api',
    region: text(writer['rest_signing_region']) || text(writer['aws_region']),
    accessKey: required(writer, 'aws_access_key'),
    secretKey: required(writer, 'aws_secret_key'),
  };
  if (keys.region === '')
    throw invalid('rest_signing_region', '"rest_signing_region" must name the region to sign for.');
  return { type: 'signature', keys };
}

function required(writer: Writer, key: string): string {
  const value = text(writer[key]);
  if (value === '') throw invalid(key, `"${key}" must not be empty for this way to sign in.`);
  return value;
}
