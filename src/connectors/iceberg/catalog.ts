import { Failure } from '../../errors.ts';
import type { S3Settings, Storage, TableCatalog, TableName } from '../../lakehouse/index.ts';
import {
  createPointerTables,
  createVendedStorage,
  isS3Path,
  openJdbcCatalog,
  openRestCatalog,
} from '../../lakehouse/index.ts';
import type { DestinationContext } from '../kit/index.ts';
import type { CatalogConfig } from './config.ts';
import type { RestConfig } from './rest-config.ts';

/** A catalog of tables with what has to be closed after its use. */
export interface OpenCatalog {
  readonly catalog: TableCatalog;
  /** Files of one table, when the catalog lends the credentials for them. */
  readonly lentStorage?: (name: TableName) => Storage;
  close(): Promise<void>;
}

/** Opens the catalog that the configuration names. */
export async function openCatalog(
  config: CatalogConfig,
  context: DestinationContext,
  files: { readonly storage: Storage; readonly s3: S3Settings; readonly warehouse: string },
): Promise<OpenCatalog> {
  const { world, allowPath } = context;
  const { storage } = files;
  if (config.type === 'rest') {
    return openRest(config, context, files);
  }
  if (config.type === 'jdbc') {
    const { catalog, close } = await openJdbcCatalog({ ...config, allowPath });
    return { catalog: createPointerTables({ storage, world, catalog }), close };
  }
  if (!context.catalog) {
    throw new Failure('configuration_invalid', 'The built-in catalog exists inside the Penstock server only.', {
      advice: 'Outside the server choose the catalog type jdbc.',
    });
  }
  return { catalog: createPointerTables({ storage, world, catalog: context.catalog }), close: async () => {} };
}

/** Without keys of its own, a connection to a bucket asks the catalog for some. */
async function openRest(
  config: RestConfig,
  { world, allowPath }: DestinationContext,
  { s3, warehouse }: { readonly s3: S3Settings; readonly warehouse: string },
): Promise<OpenCatalog> {
  const borrows = isS3Path(warehouse) && s3.accessKey === undefined;
  const catalog = await openRestCatalog({ ...config, world, borrows });
  const close = async (): Promise<void> => {};
  if (!borrows) return { catalog, close };
  const lentStorage = (name: TableName): Storage =>
    createVendedStorage({ world, s3, allowLocal: allowPath, load: () => catalog.loadSettings(name) });
  return { catalog, lentStorage, close };
}
