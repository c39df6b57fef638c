import { Failure } from '../../errors.ts';
import type { Storage, TableCatalog } from '../../lakehouse/index.ts';
import { createPointerTables, openJdbcCatalog, openRestCatalog } from '../../lakehouse/index.ts';
import type { DestinationContext } from '../kit/index.ts';
import type { CatalogConfig } from './config.ts';

/** A catalog of tables with what has to be closed after its use. */
export interface OpenCatalog {
  readonly catalog: TableCatalog;
  close(): Promise<void>;
}

/** Opens the catalog that the configuration names. */
export async function openCatalog(
  config: CatalogConfig,
  context: DestinationContext,
  storage: Storage,
): Promise<OpenCatalog> {
  const { world, allowPath } = context;
  if (config.type === 'rest') {
    return { catalog: await openRestCatalog({ ...config, world }), close: async () => {} };
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
