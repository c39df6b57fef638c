import { Failure } from '../../errors.ts';
import { createS3Storage } from '../../lakehouse/index.ts';
import type { S3Settings } from '../../lakehouse/index.ts';
import type { World } from '../../world.ts';
import type { ListedFile, OpenFile, Place } from './types.ts';
import { isHidden } from './types.ts';

export interface BucketSettings {
  readonly bucket: string;
  /** Below which keys are listed; '' = the whole bucket. */
  readonly prefix: string;
  readonly access: S3Settings;
}

const MOST_FILES = 1_000_000;
const MICROS = 1000n;

/** The objects of a bucket below a prefix. Nothing is asked before the first listing. */
export function bucketPlace({ bucket, prefix, access }: BucketSettings, world: World): Place {
  const storage = createS3Storage(world, access);
  const folder = prefix.replace(/^\/+|\/+$/g, '');
  const root = `s3://${bucket}/${folder === '' ? '' : `${folder}/`}`;

  async function list(signal: AbortSignal): Promise<ListedFile[]> {
    const files: ListedFile[] = [];
    for await (const { path: location, bytes, modified, tag = '' } of storage.walk(root, { signal })) {
      const path = location.slice(root.length);
      if (isHidden(path) || path === '') continue;
      files.push({ location, path, bytes, modified: BigInt(modified.getTime()) * MICROS, tag });
      if (files.length > MOST_FILES) throw tooMany(root);
    }
    return files.length === 0 && folder !== '' ? listSingle(signal) : files;
  }
  /** The prefix may be the key of one object. */
  async function listSingle(signal: AbortSignal): Promise<ListedFile[]> {
    const location = root.slice(0, -1);
    const parent = location.slice(0, location.lastIndexOf('/') + 1);
    for await (const { path, bytes, modified, tag = '' } of storage.walk(parent, { signal })) {
      if (path !== location) continue;
      const name = path.slice(parent.length);
      return [{ location, path: name, bytes, modified: BigInt(modified.getTime()) * MICROS, tag }];
    }
    throw new Failure('object_missing', `${root} holds no objects`);
  }
  return {
    namespace: bucket,
    patternText: ({ location }) => location.slice(`s3://${bucket}/`.length),
    list,
    async open(file, signal): Promise<OpenFile> {
      const { location } = file;
      const tag = file.tag === '' ? {} : { tag: file.tag };
      return {
        grown: false,
        stream: () => asListed(storage.readStream(location, { signal, ...tag }), location),
        async range(start, end) {
          const pieces: Uint8Array[] = [];
          const bytes = asListed(storage.readStream(location, { start, end, signal, ...tag }), location);
          for await (const piece of bytes) pieces.push(piece);
          return Buffer.concat(pieces);
        },
        // Every request names the version that was listed.
        confirm: async () => {},
        close: async () => {},
      };
    },
  };
}

/** An object that is gone, though it was listed, is there again or not when the next attempt lists. */
async function* asListed(bytes: AsyncIterable<Buffer>, location: string): AsyncGenerator<Buffer> {
  try {
    yield* bytes;
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'object_missing') throw error;
    throw new Failure('connection_lost', `${location} vanished after it was listed`, { cause: error });
  }
}

function tooMany(root: string): Failure {
  return new Failure('configuration_invalid', `${root} holds more than ${MOST_FILES} objects; name a longer prefix`);
}
