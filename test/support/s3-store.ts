import type { Server as HttpServer } from 'node:http';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What is used of s3rver, which brings no types. */
interface Store {
  getResourcePath(bucket: string, key: string | undefined, resource: string): string;
  getBucketPath(bucket: string): string;
  getMetadata(bucket: string, key: string): Promise<Readonly<Record<string, string>>>;
  putObject(object: { bucket: string; key: string }): Promise<{ size: number }>;
  putPart(bucket: string, upload: string, part: number, content: unknown): Promise<{ size: number }>;
  putBucket(bucket: string): Promise<unknown>;
  deleteObject(bucket: string, key: string): Promise<void>;
  listObjects(bucket: string, options: ListOptions): Promise<unknown>;
}

interface ListOptions {
  readonly delimiter?: string;
  readonly startAfter?: string;
  readonly prefix?: string;
  readonly maxKeys?: number;
}

interface Server {
  readonly store: Store;
  run(): Promise<{ port: number }>;
  readonly httpServer: HttpServer;
  close(): Promise<void>;
}

/** An s3rver and those of its files that it offers no calls for. */
export interface S3Backend {
  readonly port: number;
  makeBucket(name: string): Promise<void>;
  hasUpload(bucket: string, id: string): Promise<boolean>;
  removeUpload(bucket: string, id: string): Promise<void>;
  listUploads(bucket: string): Promise<readonly { readonly key: string; readonly id: string }[]>;
  /** Undefined when there is no such object. */
  tagOf(bucket: string, key: string): Promise<string | undefined>;
  close(): Promise<void>;
}

const require = createRequire(import.meta.url);

/**
 * Starts s3rver on a free port of loopback, with three of its habits mended: it answers before what it wrote is on
 * the disk, it stumbles over itself when it removes several objects of a folder, and it lists by file name, not by key.
 */
export async function startBackend(folder: string): Promise<S3Backend> {
  const S3rver = require('s3rver') as new (options: object) => Server;
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder,
    vhostBuckets: false,
  });
  const { store } = server;
  settleWrites(store);
  listByKey(store);
  deleteInOrder(store);
  const { port } = await server.run();
  server.httpServer.unref();
  server.httpServer.on('connection', (socket) => socket.unref());
  const uploads = (bucket: string): string => store.getResourcePath(bucket, undefined, 'uploads');
  return {
    port,
    makeBucket: async (name) => void (await store.putBucket(name)),
    hasUpload: (bucket, id) => exists(join(uploads(bucket), id, 'key')),
    removeUpload: (bucket, id) => rm(join(uploads(bucket), id), { recursive: true, force: true }),
    async listUploads(bucket) {
      const ids = await readdir(uploads(bucket)).catch(() => []);
      const found = await Promise.all(
        ids.map(async (id) => ({ id, key: await readFile(join(uploads(bucket), id, 'key'), 'utf8').catch(() => '') })),
      );
      // A part that was under way when its upload was given up makes the folder again, without a key.
      return found.filter(({ key }) => key !== '');
    },
    tagOf: async (bucket, key) => (await store.getMetadata(bucket, key).catch(() => undefined))?.['etag'],
    close: () => server.close(),
  };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

function settleWrites(store: Store): void {
  const putObject = store.putObject.bind(store);
  const putPart = store.putPart.bind(store);
  store.putObject = async (object) => {
    const written = await putObject(object);
    await hasSize(store.getResourcePath(object.bucket, object.key, 'object'), written.size);
    return written;
  };
  store.putPart = async (...call) => {
    const [bucket, upload, part] = call;
    const written = await putPart(...call);
    await hasSize(join(store.getResourcePath(bucket, undefined, 'uploads'), upload, String(part)), written.size);
    return written;
  };
}

function deleteInOrder(store: Store): void {
  const deleteObject = store.deleteObject.bind(store);
  let last = Promise.resolve();
  store.deleteObject = (bucket, key) => (last = last.then(() => deleteObject(bucket, key)));
}

async function hasSize(path: string, size: number): Promise<void> {
  while ((await stat(path)).size !== size) await delay(1);
}

const OBJECT_SUFFIX = '._S3rver_object';

function listByKey(store: Store): void {
  const { S3Object } = { S3Object: require('s3rver/lib/models/object') as new (...parts: unknown[]) => unknown };
  store.listObjects = async (bucket, { delimiter = '', startAfter = '', prefix = '', maxKeys = 1000 }) => {
    const files = await readdir(store.getBucketPath(bucket), { recursive: true });
    const keys = files
      .filter((file) => file.endsWith(OBJECT_SUFFIX))
      .map((file) => file.slice(0, -OBJECT_SUFFIX.length))
      .filter((key) => key.startsWith(prefix) && key > startAfter)
      .sort();
    const folderOf = (key: string): string | undefined => {
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      return end < 0 ? undefined : key.slice(0, end + 1);
    };
    const commonPrefixes = new Set(keys.map(folderOf).filter((one) => one !== undefined));
    const direct = keys.filter((key) => folderOf(key) === undefined);
    const page = direct.slice(0, maxKeys);
    const objects = await Promise.all(
      page.map(async (key) => new S3Object(bucket, key, null, await store.getMetadata(bucket, key))),
    );
    return { objects, commonPrefixes: [...commonPrefixes], isTruncated: false };
  };
}
