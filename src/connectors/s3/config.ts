import type { BucketSettings, FileSettings } from '../../files/index.ts';
import { asFields, invalid, readFileSettings, textAt } from '../../files/index.ts';

export interface S3Config {
  readonly bucket: BucketSettings;
  readonly settings: FileSettings;
}

/** Reads a configuration; unknown keys are ignored, a wrong value is a `configuration_invalid` failure that names the field. */
export function parseConfig(config: unknown): S3Config {
  const fields = asFields(config, 'config');
  const name = textAt(fields, 'bucket_name').trim();
  if (name.includes('/')) throw invalid('bucket_name', 'must be the name alone; the rest belongs to path_prefix');
  const settings = readFileSettings(fields);
  if (settings.format === 'auto') throw invalid('file_format', 'must be one of csv, json, jsonl, parquet');
  const access = {
    region: textAt(fields, 'region', ''),
    accessKey: textAt(fields, 'access_key_id', textAt(fields, 'aws_access_key', '')),
    secretKey: textAt(fields, 'secret_access_key', textAt(fields, 'aws_secret_key', '')),
    endpoint: textAt(fields, 'endpoint', ''),
  };
  return { bucket: { bucket: name, prefix: textAt(fields, 'path_prefix', ''), access }, settings };
}
