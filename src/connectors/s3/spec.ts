import { fileHints, fileProperties, fileRows } from '../../files/index.ts';
import type { ConnectorSpec } from '../kit/index.ts';

const properties = {
  bucket_name: { type: 'string', title: 'Bucket', minLength: 1 },
  path_prefix: { type: 'string', title: 'Prefix', description: 'Each folder directly below it is a stream' },
  region: { type: 'string', title: 'Region', default: 'us-east-1' },
  access_key_id: {
    type: 'string',
    title: 'Access key',
    description: 'Without keys those of the server are used',
  },
  secret_access_key: { type: 'string', format: 'password', title: 'Secret key' },
  endpoint: {
    type: 'string',
    title: 'Endpoint',
    description: 'Of a store other than Amazon S3, e.g. https://host:9000',
  },
  file_format: { type: 'string', title: 'Format', enum: ['csv', 'json', 'jsonl', 'parquet'] },
  parquet: {
    type: 'object',
    title: 'Parquet',
    properties: { streaming_enabled: { type: 'boolean', title: 'Stream', default: true } },
    description: 'Files are always read in parts',
  },
  ...fileProperties,
};

/** The form of an S3 source (OLake contract, section 6). */
export const s3Spec: ConnectorSpec = {
  jsonschema: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    title: 'S3',
    properties,
    required: ['bucket_name', 'file_format'],
  },
  uischema: {
    'ui:grid': [
      { bucket_name: 12, path_prefix: 12 },
      { region: 12, endpoint: 12 },
      { access_key_id: 12, secret_access_key: 12 },
      { file_format: 24 },
      ...fileRows,
    ],
    secret_access_key: { 'ui:widget': 'password' },
    file_format: { 'ui:widget': 'select' },
    ...fileHints,
  },
};
