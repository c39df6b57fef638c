import type { ConnectorSpec } from '../kit/index.ts';

const writer = {
  type: 'object',
  title: 'Writer',
  properties: {
    local_path: {
      type: 'string',
      title: 'Local path',
      description: 'Folder of this server below which tables are written, as <folder>/<database>/<table>',
    },
    s3_bucket: {
      type: 'string',
      title: 'S3 bucket',
      description:
        'Bucket in which tables are written, as s3://<bucket>/<path>/<database>/<table>, instead of a folder',
    },
    s3_region: { type: 'string', title: 'S3 region', description: 'e.g. eu-central-1; needed without an endpoint' },
    s3_path: { type: 'string', title: 'S3 path', description: 'Place inside the bucket' },
    s3_access_key: {
      type: 'string',
      title: 'S3 access key',
      description: 'Without keys, those of the server are used: its variables, profile or role',
    },
    s3_secret_key: { type: 'string', title: 'S3 secret key', format: 'password' },
    s3_endpoint: {
      type: 'string',
      title: 'S3 endpoint',
      description: 'Address of a store other than Amazon, e.g. http://minio:9000',
    },
    max_file_size_mb: {
      type: 'number',
      title: 'Largest file (MB)',
      description: 'A file is closed when it has reached this size',
      exclusiveMinimum: 0,
      default: 512,
    },
    compression: {
      type: 'string',
      title: 'Compression',
      enum: ['zstd', 'snappy', 'gzip', 'none'],
      default: 'zstd',
    },
    decimals: {
      type: 'string',
      title: 'Decimals',
      description: 'exact keeps every digit; double rounds to the nearest floating point number',
      enum: ['exact', 'double'],
      default: 'exact',
    },
  },
};

/** The form of a Parquet destination (OLake contract, section 6). */
export const parquetSpec: ConnectorSpec = {
  jsonschema: {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    title: 'Parquet',
    properties: { type: { type: 'string', const: 'PARQUET', default: 'PARQUET' }, writer },
    required: ['writer'],
  },
  uischema: {
    type: { 'ui:widget': 'hidden' },
    writer: {
      'ui:grid': [
        { local_path: 24 },
        { s3_bucket: 12, s3_region: 12 },
        { s3_path: 12, s3_endpoint: 12 },
        { s3_access_key: 12, s3_secret_key: 12 },
        { compression: 8, max_file_size_mb: 8, decimals: 8 },
      ],
      s3_secret_key: { 'ui:widget': 'password' },
    },
  },
};
