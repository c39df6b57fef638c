import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccess } from '../../../src/access/index.ts';
import { readConfig } from '../../../src/config.ts';
import { createIcebergFace } from '../../../src/faces/iceberg/index.ts';
import { createServer } from '../../../src/http/index.ts';
import { createStorage } from '../../../src/lakehouse/index.ts';
import { createObserve } from '../../../src/observe/index.ts';
import type { Store } from '../../../src/store/index.ts';
import { checkFolder } from '../../../src/sync/index.ts';
import { createWarehouse, type Place, type Warehouse } from '../../../src/warehouse/index.ts';
import { createWorld, type World } from '../../../src/world.ts';
import { createTestStore } from '../../support/database.ts';
import { opening, type Closing } from '../../support/opening.ts';

/** The face of the built-in catalog on a listening server, over the real store and access. */
export interface CatalogRig {
  readonly url: string;
  /** Folder of everything; the warehouse of project `p` is `<folder>/warehouse/p`. */
  readonly folder: string;
  readonly store: Store;
  readonly warehouse: Warehouse;
  readonly tokens: { readonly admin: string; readonly viewer: string };
  /** Session cookie of the administrator. */
  readonly cookie: string;
  /** Places besides the warehouse. */
  readonly places: Place[];
  close(): Promise<void>;
}

export function startCatalog(world: World = createWorld()): Promise<CatalogRig> {
  return opening((closing) => startParts(world, closing));
}

async function startParts(world: World, closing: Closing): Promise<Omit<CatalogRig, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), 'rest-'));
  closing(() => rm(folder, { recursive: true, force: true }));
  const config = readConfig({
    PENSTOCK_PORT: '0',
    PENSTOCK_DATA_DIR: folder,
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_ADMIN_USER: 'ines',
    PENSTOCK_ADMIN_PASSWORD: 'correct horse',
    PENSTOCK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  });
  const { store, close } = await createTestStore();
  closing(close);
  const access = await createAccess({ store, config, world });
  await access.createUser({ username: 'vera', email: 'v@example.org', password: 'battery staple', role: 'viewer' });
  const signIn = (username: string, password: string) => access.signIn({ username, password, address: '127.0.0.1' });
  const [admin, viewer] = await Promise.all([signIn('ines', 'correct horse'), signIn('vera', 'battery staple')]);
  const places: Place[] = [];
  const warehouse = createWarehouse({
    store,
    world,
    access,
    homeOf: (project) => ({ root: join(folder, 'warehouse', project), storage: createStorage({ world }) }),
    placesOf: async () => places,
    checkFolder: (project, path) => checkFolder(config, project, path),
  });
  const face = createIcebergFace({ warehouse, access, config, version: '0.0.0-test' });
  const server = await createServer({ config, faces: [face], access, observe: createObserve(config), world });
  closing(() => server.close());
  const url = `${await server.listen()}/iceberg`;
  return {
    url,
    folder,
    store,
    warehouse,
    places,
    tokens: { admin: admin.token, viewer: viewer.token },
    cookie: `olake-session=${admin.cookie}`,
  };
}

export interface CatalogAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  // Answers of a protocol that the test knows; every member is compared.
  readonly body: Record<string, never>;
}

/** Sends a call as the administrator, or with other headers. */
export async function call(
  rig: Pick<CatalogRig, 'url' | 'tokens'>,
  line: string,
  { body, headers }: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<CatalogAnswer> {
  const [method = '', path = ''] = line.split(' ');
  const response = await fetch(`${rig.url}${path}`, {
    method,
    headers: {
      ...(headers ?? { authorization: `Bearer ${rig.tokens.admin}` }),
      ...(body !== undefined && typeof body !== 'string' && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
  return {
    status: response.status,
    text,
    headers: response.headers,
    body: isJson ? (JSON.parse(text) as CatalogAnswer['body']) : {},
  };
}
