import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../../world.ts';
import type { S3Connection } from './s3-client.ts';
import type { S3Scene } from './s3-failure.ts';
import { s3Failure } from './s3-failure.ts';
import type { S3Target } from './s3-settings.ts';

/** A part that the store has taken. */
export interface UploadedPart {
  readonly number: number;
  readonly tag: string | undefined;
}

/** A multipart upload that was begun. */
export interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly id: string;
}

/** A number of places that are taken and given back; who finds none waits in line. */
export interface Room {
  take(): Promise<void>;
  give(): void;
}

function createRoom(places: number): Room {
  const waiting: (() => void)[] = [];
  let free = places;
  return {
    take() {
      if (free > 0) {
        free--;
        return Promise.resolve();
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    give() {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    },
  };
}

/** What all requests of one storage share. */
export interface S3Requests {
  readonly target: S3Target;
  connect(): Promise<S3Connection>;
  /** Runs requests; what they throw becomes a failure that names the bucket. */
  attempt<T>(bucket: string, work: (connection: S3Connection) => Promise<T>): Promise<T>;
  scene(bucket: string): S3Scene;
  /** Room for the parts that are on their way, of all files together: what fills memory while a store is slow. */
  readonly room: Room;
  /** Waits before the n-th repetition: randomly long, on average twice as long each time. */
  pause(tries: number): Promise<void>;
}

const FIRST_PAUSE_MS = 100;
const PARTS_ON_THEIR_WAY = 8;

export function createS3Requests(world: World, target: S3Target, connect: S3Requests['connect']): S3Requests {
  const scene = (bucket: string): S3Scene => ({ bucket, endpoint: target.endpoint, region: target.region });
  return {
    target,
    room: createRoom(PARTS_ON_THEIR_WAY),
    connect,
    scene,
    async pause(tries) {
      await sleep((world.random(1)[0]! / 255) * FIRST_PAUSE_MS * 2 ** tries);
    },
    async attempt(bucket, work) {
      try {
        return await work(await connect());
      } catch (error) {
        throw s3Failure(error, scene(bucket));
      }
    },
  };
}
