import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { newId } from '../../world.ts';
import { createS3Connector } from './s3-client.ts';
import { s3ErrorWord, s3Status } from './s3-failure.ts';
import { listPages, listUploads } from './s3-list.ts';
import { copyObject } from './s3-move.ts';
import type { S3Place } from './s3-path.ts';
import { folderPrefix, parseS3Path } from './s3-path.ts';
import { readObject, readWhole } from './s3-read.ts';
import { removeBelow, removeObject } from './s3-remove.ts';
import type { S3Requests } from './s3-requests.ts';
import { createS3Requests } from './s3-requests.ts';
import type { S3Settings } from './s3-settings.ts';
import { readS3Settings } from './s3-settings.ts';
import { abortUpload, createS3Output, objectSize, putObject } from './s3-upload.ts';
import type { Storage } from './types.ts';
import { readUnfinished, unfinishedPath } from './unfinished.ts';

/** Where a crash leaves what disks never show: for fault tests to enumerate. */
export const s3StoppingPoints: readonly string[] = ['s3.copied'];

/**
 * Objects of S3 and of stores that speak it, as `s3://bucket/key`. Throws `configuration_invalid` at once for settings
 * that cannot be right; nothing is loaded or asked before the first use.
 */
export function createS3Storage(world: World, settings: S3Settings): Storage {
  const target = readS3Settings(settings);
  const requests = createS3Requests(world, target, createS3Connector(target));
  const honoursConditions = createConditionProbe(world, requests);

  return {
    async createFile(path) {
      return createS3Output(requests, filePlace(path));
    },
    async put(path, bytes, { ifAbsent = false } = {}) {
      const place = filePlace(path);
      if (ifAbsent) return honoursConditions(place).then(() => putIfAbsent(requests, place, bytes));
      await putObject(requests, place, bytes);
      return true;
    },
    async read(path) {
      return readWhole(requests, filePlace(path), { start: 0, end: undefined });
    },
    async readRange(path, start, end) {
      const bytes = await readWhole(requests, filePlace(path), { start, end });
      if (bytes?.length === end - start) return bytes;
      const problem = bytes === undefined ? 'does not exist' : `ends before byte ${end}`;
      throw new Failure('storage_failed', `The file "${path}" ${problem}.`);
    },
    readStream(path, { start = 0, end, tag, signal } = {}) {
      return readObject(requests, filePlace(path), { start, end, tag, signal });
    },
    async size(path) {
      return objectSize(requests, filePlace(path));
    },
    async move(from, to) {
      const [source, aim] = [filePlace(from), filePlace(to)];
      await copyObject(requests, source, aim);
      world.reach('s3.copied');
      await removeObject(requests, source);
    },
    async list(folder, { unfinished = false } = {}) {
      const place = parseS3Path(folder);
      const paths: string[] = [];
      for await (const page of listPages(requests, place)) paths.push(...page.filter(isFile).map((file) => file.path));
      if (unfinished) paths.push(...(await unfinishedPaths(requests, place)));
      return paths.sort();
    },
    async *walk(folder, { signal } = {}) {
      for await (const page of listPages(requests, parseS3Path(folder), signal)) {
        for (const { path, bytes, modified, tag } of page.filter(isFile)) yield { path, bytes, modified, tag };
      }
    },
    async remove(path) {
      const begun = readUnfinished(path);
      if (begun === undefined) return removeObject(requests, filePlace(path));
      const { bucket, key } = filePlace(begun.path);
      await abortUpload(requests, { bucket, key, id: decodeURIComponent(begun.mark.slice(2)) });
    },
    async removeFolder(folder) {
      const place = parseS3Path(folder);
      if (folderPrefix(place) === '') throw new Failure('internal', 'A whole bucket is never removed.');
      await removeBelow(requests, place);
    },
  };
}

/** The place of a file; refuses what names a bucket or a folder only. */
function filePlace(path: string): S3Place {
  const place = parseS3Path(path);
  if (place.key !== '' && !place.key.endsWith('/')) return place;
  throw new Failure('configuration_invalid', `"${path}" names no file in a bucket.`);
}

const isFile = ({ path }: { readonly path: string }): boolean => !path.endsWith('/');

async function unfinishedPaths(requests: S3Requests, folder: S3Place): Promise<string[]> {
  const uploads = await listUploads(requests, folder);
  return uploads.map(({ bucket, key, id }) =>
    unfinishedPath(`${folder.scheme}${bucket}/${key}`, `u_${encodeURIComponent(id).replaceAll('.', '%2E')}`),
  );
}

/** One conditional request; a try whose answer was lost is recognised by the bytes. */
async function putIfAbsent(requests: S3Requests, place: S3Place, bytes: Uint8Array): Promise<boolean> {
  for (let tries = 0; ; await requests.pause(tries++)) {
    const outcome = await tryPut(requests, place, bytes);
    if (outcome === 'written') return true;
    const found = await readWhole(requests, place, { start: 0, end: undefined });
    if (found !== undefined) return found.equals(bytes);
    if (outcome === 'taken') return false; // Removed since: it was there.
    if (tries >= 6) throw new Failure('storage_failed', `Others keep writing "${place.key}" at the same time.`);
  }
}

async function tryPut(requests: S3Requests, place: S3Place, bytes: Uint8Array): Promise<'written' | 'taken' | 'raced'> {
  const { bucket, key } = place;
  return requests.attempt(bucket, async ({ sdk, client }) => {
    try {
      const input = { Bucket: bucket, Key: key, Body: bytes, IfNoneMatch: '*' };
      await client.send(new sdk.PutObjectCommand(input));
      return 'written';
    } catch (error) {
      if (s3Status(error) === 412 || s3ErrorWord(error) === 'PreconditionFailed') return 'taken';
      // Another write of the same name was under way, and its end is not known.
      if (s3ErrorWord(error) === 'ConditionalRequestConflict' || s3Status(error) === 409) return 'raced';
      throw error;
    }
  });
}

/**
 * Stores of older make refuse conditions, or take and ignore them, and then two writers would both be told that they were first. So
 * each bucket is tried once before the first conditional request, beside the place that is meant.
 */
function createConditionProbe(world: World, requests: S3Requests): (place: S3Place) => Promise<void> {
  const known = new Map<string, Promise<void>>();
  async function probe({ bucket, key, scheme }: S3Place): Promise<void> {
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    const place = { bucket, scheme, key: `${folder}.${newId(world, 'probe')}` };
    try {
      await tryPut(requests, place, Buffer.from('first'));
      const again = await tryPut(requests, place, Buffer.from('second'));
      if (again === 'written') throw knowsNoConditions(requests, bucket);
    } catch (error) {
      if (error instanceof Failure && s3Status(error.cause) === 501) throw knowsNoConditions(requests, bucket);
      throw error;
    } finally {
      await removeObject(requests, place).catch(() => undefined); // What made this fail has been told.
    }
  }
  return (place) => {
    let probed = known.get(place.bucket);
    if (probed === undefined) {
      probed = probe(place);
      known.set(place.bucket, probed);
      probed.catch(() => known.delete(place.bucket));
    }
    return probed;
  };
}

function knowsNoConditions(requests: S3Requests, bucket: string): Failure {
  const { endpoint = 'Amazon' } = requests.scene(bucket);
  return new Failure(
    'configuration_invalid',
    `The store of the S3 bucket "${bucket}" at ${endpoint} does not heed "If-None-Match", so two writers could overwrite each other's commits.`,
    { advice: 'Use a store that honours conditional writes (or an Iceberg table, whose catalog decides instead).' },
  );
}
