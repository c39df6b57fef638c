import { Failure } from '../../errors.ts';
import type { DeleteMode, S3Settings } from '../../lakehouse/index.ts';
import { deleteModes, isS3Path, localPath, parseS3Path } from '../../lakehouse/index.ts';
import { readRestCatalog, type RestConfig } from './rest-config.ts';
import { invalid, isTrue, readText as text } from './fields.ts';

/** What an Iceberg destination is told. */
export interface IcebergConfig {
  readonly catalog: CatalogConfig;
  /** Absolute folder or `s3://` location; undefined = the server's default. */
  readonly warehouse: string | undefined;
  /** How `s3://` locations are reached. */
  readonly s3: S3Settings;
  /** True: tables have no identifier fields and every commit appends. */
  readonly appendsOnly: boolean;
  /** Rows deleted at the source stay, marked, or are removed. */
  readonly deletes: 'mark' | 'apply';
  /** How the older rows of an upsert are removed. */
  readonly deleteMode: DeleteMode;
}

export type CatalogConfig =
  | { readonly type: 'builtin' }
  | {
      readonly type: 'jdbc';
      readonly url: string;
      readonly username: string | undefined;
      readonly password: string | undefined;
      readonly catalogName: string;
    }
  | RestConfig;

/** Catalogs of the REST kind, by the word that a configuration names. */
export const restCatalogs = ['rest', 'lakekeeper', 'nessie', 'polaris', 'unity'] as const;

/** Catalogs that work, and those whose forms exist already. */
export const availableCatalogs = ['builtin', 'jdbc', ...restCatalogs] as const;
export const laterCatalogs = ['s3tables', 'glue', 'biglake', 'hive'] as const;

/** Reads `{type: "ICEBERG", writer: {…}}` or the bare writer. Throws `configuration_invalid` that names the field. */
export function readConfig(config: unknown): IcebergConfig {
  const outer = asObject(config);
  const writer = 'writer' in outer ? asObject(outer['writer']) : outer;
  const deletes = text(writer['deletes']) || 'mark';
  if (deletes !== 'mark' && deletes !== 'apply') throw invalid('deletes', '"deletes" must be mark or apply.');
  return {
    catalog: readCatalog(writer),
    warehouse: readWarehouse(text(writer['iceberg_s3_path'])),
    s3: readS3(writer),
    appendsOnly: isTrue(writer['no_identifier_fields']) || text(writer['catalog_type']).toLowerCase() === 'unity',
    deletes,
    deleteMode: readDeleteMode(text(writer['delete_mode']) || 'equality'),
  };
}

function readDeleteMode(mode: string): DeleteMode {
  const known = deleteModes.find((one) => one === mode);
  if (known) return known;
  throw invalid('delete_mode', '"delete_mode" must be equality, position or copy_on_write.');
}

function readCatalog(writer: Readonly<Record<string, unknown>>): CatalogConfig {
  const type = text(writer['catalog_type']).toLowerCase() || 'builtin';
  if (type === 'builtin') return { type };
  if ((restCatalogs as readonly string[]).includes(type)) return readRestCatalog(type, writer);
  if (type !== 'jdbc') {
    const known = (laterCatalogs as readonly string[]).includes(type);
    const problem = known ? `The catalog type "${type}" arrives later` : `"${type}" is no catalog type`;
    throw invalid('catalog_type', `${problem}; available: ${availableCatalogs.join(', ')}.`);
  }
  const url = text(writer['jdbc_url']);
  if (url === '') throw invalid('jdbc_url', '"jdbc_url" must name the database of the catalog.');
  const catalogName = text(writer['catalog_name']) || 'olake_iceberg';
  if (!/^[a-z_]+$/.test(catalogName)) {
    throw invalid('catalog_name', '"catalog_name" may hold lower-case letters and underscores only.');
  }
  const username = text(writer['jdbc_username']) || undefined;
  const password = typeof writer['jdbc_password'] === 'string' ? writer['jdbc_password'] : undefined;
  return { type, url, username, password, catalogName };
}

function readWarehouse(path: string): string | undefined {
  if (path === '') return undefined;
  if (isS3Path(path)) {
    parseS3Path(path.replace(/\/+$/, ''));
    return path.replace(/\/+$/, '');
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'file') {
    throw invalid(
      'iceberg_s3_path',
      `Warehouses on ${scheme}:// arrive later; name a folder of this server or s3://bucket/path.`,
    );
  }
  const folder = localPath(path).replace(/\/+$/, '');
  if (folder === '') throw invalid('iceberg_s3_path', 'The warehouse must not be the root folder.');
  return folder;
}

function readS3(writer: Readonly<Record<string, unknown>>): S3Settings {
  const endpoint = text(writer['s3_endpoint']);
  return {
    ...optional('region', text(writer['aws_region'])),
    ...optional('accessKey', text(writer['aws_access_key'])),
    ...optional('secretKey', text(writer['aws_secret_key'])),
    ...optional('endpoint', endpoint),
    // Amazon's own endpoints take the bucket in the host name, and TLS, whatever the form's defaults say.
    ...(endpoint !== '' && { pathStyle: writer['s3_path_style'] !== false, tls: isTrue(writer['s3_use_ssl']) }),
  };
}

const optional = (key: string, value: string): Record<string, string> => (value === '' ? {} : { [key]: value });

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Failure('configuration_invalid', 'The configuration of an Iceberg destination must be an object.');
}
