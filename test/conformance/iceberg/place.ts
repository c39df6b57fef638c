import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DestinationPlace } from '../../../src/connectors/kit/conformance/destination.ts';
import type { TableName } from '../../../src/connectors/kit/index.ts';
import { connector } from '../../../src/connectors/iceberg/index.ts';
import { createLocalStorage, openRestCatalog, referencedFiles } from '../../../src/lakehouse/index.ts';
import { readIndependently } from '../../../src/lakehouse/iceberg/table.test-support.ts';
import { createWorld } from '../../../src/world.ts';
import { startCatalog, type CatalogRig } from './rig.ts';

let shared: Promise<CatalogRig> | undefined;

/** Ends the server that the places of this process use. */
export async function closeCatalog(): Promise<void> {
  await (await shared)?.close();
}

interface Address {
  readonly url: string;
  readonly token: string;
  readonly warehouse: string;
}

/** Processes of the same folder use the server of the first. */
async function findServer(folder: string, project: string): Promise<Address> {
  const note = join(folder, 'catalog.json');
  const known = await readFile(note, 'utf8').catch(() => undefined);
  if (known) return JSON.parse(known) as Address;
  const rig = await (shared ??= startCatalog());
  const address = { url: rig.url, token: rig.tokens.admin, warehouse: join(rig.folder, 'warehouse', project) };
  await writeFile(note, JSON.stringify(address));
  return address;
}

/** An Iceberg destination whose catalog is ours, reached by HTTP as one of somebody else; icebird reads back. */
export async function openPlace(folder: string): Promise<DestinationPlace> {
  const project = `p${basename(folder).replaceAll(/[^A-Za-z0-9]/g, '')}`;
  const { url, token, warehouse } = await findServer(folder, project);
  const catalog = await openRestCatalog({
    url,
    warehouse: project,
    credentials: { type: 'token', token },
    world: createWorld(),
  });
  const writer = {
    catalog_type: 'rest',
    rest_catalog_url: url,
    warehouse: project,
    rest_auth_type: 'OAuth2',
    credential: `any:${token}`,
    iceberg_s3_path: warehouse,
  };
  return {
    open: ({ world, guard }) =>
      connector.open(
        { type: 'ICEBERG', writer },
        { world, guard, warehouse, allowPath: () => {}, log: () => {}, signal: new AbortController().signal },
      ),
    async readRows(name) {
      const table = await catalog.load(name);
      return table ? readIndependently(table.metadata) : [];
    },
    async listFiles(name: TableName) {
      const table = await catalog.load(name);
      const paths = await readdir(join(warehouse, name.database, name.table), { recursive: true }).catch(() => []);
      const files = paths.filter((path) => !path.endsWith('.open') && basename(path).includes('.'));
      const listed = table ? [...(await referencedFiles(createLocalStorage(createWorld()), table))] : [];
      return { found: files.map((path) => basename(path)).sort(), listed: listed.sort() };
    },
    close: async () => {},
  };
}
