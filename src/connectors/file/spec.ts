import { fileHints, fileProperties, fileRows } from '../../files/index.ts';
import type { ConnectorSpec } from '../kit/index.ts';

const secret = (title: string) => ({ type: 'string', format: 'password', title });

const properties = {
  url: {
    type: 'string',
    title: 'Folder, file or address',
    minLength: 1,
    description: 'Absolute path, file://…, s3://bucket/prefix, or http(s)://… of one file',
  },
  urls: { type: 'array', title: 'More of them', items: { type: 'string', minLength: 1 } },
  file_format: {
    type: 'string',
    title: 'Format',
    enum: ['auto', 'csv', 'json', 'jsonl', 'parquet'],
    default: 'auto',
    description: 'auto: by the name of each file',
  },
  ...fileProperties,
  s3: {
    type: 'object',
    title: 'S3',
    properties: {
      region: { type: 'string', title: 'Region', default: 'us-east-1' },
      access_key_id: { type: 'string', title: 'Access key' },
      secret_access_key: secret('Secret key'),
      endpoint: { type: 'string', title: 'Endpoint' },
    },
  },
  http: {
    type: 'object',
    title: 'Web',
    properties: {
      username: { type: 'string', title: 'User' },
      password: secret('Password'),
      headers: { type: 'object', title: 'Headers', additionalProperties: { type: 'string', format: 'password' } },
    },
  },
};

/** The form of a file source (OLake contract, section 6). */
export const fileSpec: ConnectorSpec = {
  jsonschema: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    title: 'Files',
    properties,
    required: ['url'],
  },
  uischema: {
    'ui:grid': [{ url: 24 }, { urls: 24 }, { file_format: 24 }, ...fileRows, { s3: 24 }, { http: 24 }],
    file_format: { 'ui:widget': 'select' },
    ...fileHints,
    s3: {
      'ui:grid': [
        { region: 12, endpoint: 12 },
        { access_key_id: 12, secret_access_key: 12 },
      ],
      secret_access_key: { 'ui:widget': 'password' },
    },
    http: { 'ui:grid': [{ username: 12, password: 12 }, { headers: 24 }], password: { 'ui:widget': 'password' } },
  },
};
