import { Failure } from '../../errors.ts';
import type { ParquetCodec } from '../../lakehouse/index.ts';
import { localPath } from '../../lakehouse/index.ts';

/** What a Parquet destination is told. */
export interface ParquetConfig {
  /** Absolute folder below which tables lie. */
  readonly root: string;
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
  const path = text(writer.local_path);
  if (path === '') {
    if (Object.keys(writer).some((key) => key.startsWith('s3_') && text(writer[key]) !== '')) {
      throw invalid(
        's3_bucket',
        'Parquet files on S3 are not available yet: name a folder of this server in "local_path".',
      );
    }
    throw invalid('local_path', '"local_path" must name the folder of this server below which tables are written.');
  }
  const codec = text(writer.compression) || 'zstd';
  if (!codecs.includes(codec)) throw invalid('compression', `"compression" must be one of ${codecs.join(', ')}.`);
  const size = writer.max_file_size_mb === undefined ? 512 : Number(writer.max_file_size_mb);
  if (!(size > 0)) throw invalid('max_file_size_mb', '"max_file_size_mb" must be a number above 0.');
  const decimals = text(writer.decimals) || 'exact';
  if (decimals !== 'exact' && decimals !== 'double') {
    throw invalid('decimals', '"decimals" must be exact or double.');
  }
  return { root: localPath(path), codec: codec as ParquetCodec, maximumFileBytes: size * 1024 * 1024, decimals };
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Failure('configuration_invalid', 'The configuration of a Parquet destination must be an object.');
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

function invalid(field: string, reason: string): Failure {
  return new Failure('configuration_invalid', reason, { details: [{ field, reason }] });
}
