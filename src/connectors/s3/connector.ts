import { bucketPlace, checkFiles, openFiles } from '../../files/index.ts';
import { digestByReading } from '../kit/index.ts';
import type { SourceConnector } from '../kit/index.ts';
import { parseConfig } from './config.ts';
import { s3Spec } from './spec.ts';

/** Files of an S3 bucket as a source. */
export const connector: SourceConnector = {
  kind: 'source',
  type: 's3',
  synonyms: ['aws_s3', 'minio'],
  title: 'S3',
  version: '0.1.0',
  spec: () => s3Spec,
  async check(config, context) {
    const { bucket, settings } = parseConfig(config);
    await checkFiles([bucketPlace(bucket, context.world)], settings, context);
  },
  async open(config, context) {
    const { bucket, settings } = parseConfig(config);
    const files = openFiles([bucketPlace(bucket, context.world)], settings, context);
    return { ...files, digest: (stream, options) => digestByReading(files, stream, options) };
  },
  databaseWord: () => 's3',
  datasetOf(config, { name }) {
    const { bucket } = parseConfig(config);
    return {
      namespace: `s3://${bucket.bucket}`,
      name: [bucket.prefix.replace(/^\/+|\/+$/g, ''), name].filter(Boolean).join('/'),
    };
  },
};
