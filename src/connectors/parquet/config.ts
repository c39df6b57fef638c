import { Failure } from '../../errors.ts';
import type { ParquetCodec, S3Settings } from '../../lakehouse/index.ts';
import { checkBucket, localPath, parseS3Path, readS3Settings } from '../../lakehouse/index.ts';

/** What a Parquet destination is told. */
export interface ParquetConfig {
  /** Absolute folder, or `s3://bucket/path`, below which tables lie. */
  readonly root: string;
  /** How S3 is reached; undefined for local folders. */
  readonly s3: S3Settings | undefined;
  readonly codec: ParquetCodec;
  readonly maximumFileBytes: number;
  /** How decimals are stored: exactly, or as the nearest double, as the original did. */
  readonly decimals: 'exact' | 'double';
}

const codecs: readonly string[] = ['zstd', 'snappy', 'gzip', 'none'];

/** Reads `{type: "PARQUET", writer: {…}}` or the bare writer. Throws `configuration_invalid` that names the field. */
export function readConfig(config: unknown): ParquetConfig {
  const outer = asObject(config);
  const writer = 'writer' in outer ? asObject(outer.writer) : outer;
  const codec = text(writer.compression) || 'zstd';
  if (!codecs.includes(codec)) throw invalid('compression', `"compression" must be one of ${codecs.join(', ')}.`);
  const size = writer.max_file_size_mb === undefined ? 512 : Number(writer.max_file_size_mb);
  if (!(size > 0)) throw invalid('max_file_size_mb', '"max_file_size_mb" must be a number above 0.');
  const decimals = text(writer.decimals) || 'exact';
  if (decimals !== 'exact' && decimals !== 'double') {
    throw invalid('decimals', '"decimals" must be exact or double.');
  }
  const maximumFileBytes = size * 1024 * 1024;
  return { ...readPlace(writer), codec: codec as ParquetCodec, maximumFileBytes, decimals };
}

/** S3 where a bucket is named; a local path beside it was a working folder of older writers and is not needed. */
function readPlace(writer: Readonly<Record<string, unknown>>): Pick<ParquetConfig, 'root' | 's3'> {
  const path = text(writer.local_path);
  const bucket = text(writer.s3_bucket);
  if (bucket !== '') return readS3Place(writer, bucket);
  if (path !== '') return { root: localPath(path), s3: undefined };
  const named = Object.keys(writer).some((key) => key.startsWith('s3_') && text(writer[key]) !== '');
  throw named
    ? invalid('s3_bucket', '"s3_bucket" must name the bucket in which tables are written.')
    : invalid('local_path', 'Name a folder of this server in "local_path", or a bucket in "s3_bucket".');
}

function readS3Place(
  writer: Readonly<Record<string, unknown>>,
  bucket: string,
): { readonly root: string; readonly s3: S3Settings } {
  const endpoint = text(writer.s3_endpoint);
  const region = text(writer.s3_region);
  if (region === '' && endpoint === '') throw invalid('s3_region', '"s3_region" must name the region of the bucket.');
  const path = text(writer.s3_path).replaceAll(/^\/+|\/+$/g, '');
  const root = path === '' ? `s3://${bucket}` : `s3://${bucket}/${path}`;
  const s3 = { region, endpoint, accessKey: text(writer.s3_access_key), secretKey: text(writer.s3_secret_key) };
  naming('s3_bucket', () => checkBucket(bucket));
  naming('s3_path', () => parseS3Path(root));
  const { accessKey, secretKey, ...reached } = s3;
  naming('s3_endpoint', () => readS3Settings(reached));
  naming(secretKey === '' ? 's3_secret_key' : 's3_access_key', () => readS3Settings({ accessKey, secretKey }));
  return { root, s3 };
}

/** Runs a check and lets its failure name the field. */
function naming(field: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw error instanceof Failure ? invalid(field, error.message) : error;
  }
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Failure('configuration_invalid', 'The configuration of a Parquet destination must be an object.');
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

function invalid(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', reason, { details: [{ field, reason }] });
}
