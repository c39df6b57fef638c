import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { installQueue } from '../../src/engine/index.ts';
import { createPlatform, type Platform } from '../../src/platform.ts';
import { createWorld } from '../../src/world.ts';
import { send, signIn, type Reply } from '../conformance/olake/wire.ts';
import { createTestStore } from './database.ts';
import { opening, type Closing } from './opening.ts';

const ADMIN = { username: 'ines', password: 'correct horse' };

/** The whole product in this process, listening and working. */
export interface Product {
  /** All that it writes is below; its data folder is `<folder>/data`. */
  readonly folder: string;
  readonly platform: Platform;
  readonly url: string;
  /** Of a client in which the administrator is signed in. */
  readonly headers: Readonly<Record<string, string>>;
  /** A call of the sync face in this project, as the administrator. */
  call(method: string, path: string, body?: unknown): Promise<Reply>;
  close(): Promise<void>;
}

export interface ProductOptions {
  /** In which `call` works; default the project of the product. */
  readonly project?: string;
  /** Where its database is; default one of its own on the shared server. */
  readonly database?: { readonly url: string } | 'embedded';
  readonly environment?: Readonly<Record<string, string>>;
}

export function startProduct(options: ProductOptions = {}): Promise<Product> {
  return opening((closing) => startParts(options, closing));
}

async function startParts(options: ProductOptions, closing: Closing): Promise<Omit<Product, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-product-'));
  closing(() => rm(folder, { recursive: true, force: true }));
  const config = readConfig({
    PENSTOCK_PORT: '0',
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_DATA_DIR: join(folder, 'data'),
    PENSTOCK_ADMIN_USER: ADMIN.username,
    PENSTOCK_ADMIN_PASSWORD: ADMIN.password,
    ...(await placeDatabase(options, closing)),
    ...options.environment,
  });
  const platform = await createPlatform(config, createWorld());
  closing(() => platform.close(0));
  const url = (await platform.start())!;
  const headers = await signIn(url, ADMIN);
  const root = `/api/v1/project/${options.project ?? config.projectId}`;
  const call: Product['call'] = (method, path, body) =>
    send(url, { method, path: root + path, headers, ...(body !== undefined && { text: JSON.stringify(body) }) });
  return { folder, platform, url, headers, call };
}

async function placeDatabase({ database }: ProductOptions, closing: Closing): Promise<Record<string, string>> {
  if (database === 'embedded') return {};
  if (database) return { PENSTOCK_DATABASE_URL: database.url };
  const { store, close } = await createTestStore({ prepare: installQueue });
  closing(close);
  return { PENSTOCK_DATABASE_URL: store.url };
}

/** The payload of an answer of the sync face, which has to be one of success. */
export function dataOf<T>(reply: Reply): T {
  assert.equal(reply.status, 200, reply.text);
  return (reply.body as { data: T }).data;
}
