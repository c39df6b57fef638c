import { randomBytes } from 'node:crypto';

/**
 * Everything that a test must be able to move: time, randomness and the named stopping points of a protocol.
 * Handed down from the entry; no room reads the clock or the random source by itself.
 */
export interface World {
  now(): Date;
  /** Milliseconds from a fixed, monotonic start; only differences mean anything. */
  elapsed(): number;
  random(bytes: number): Buffer;
  /**
   * Marks a named point inside a protocol at which a crash must be harmless. Does nothing in production; under a fault
   * test the process kills itself at the chosen point. Names are `room.step`, e.g. `iceberg.metadata-written`.
   */
  reach(point: string): void;
}

export interface WorldOptions {
  /** `name` or `name:n`: kill this process with SIGKILL the n-th time (default first) that point `name` is reached. */
  readonly stopAt?: string;
  /** Called for every point reached; lets fault tests enumerate the points. */
  readonly onPoint?: (point: string) => void;
}

/** The real world: system clock, system randomness. */
export function createWorld(options: WorldOptions = {}): World {
  const [stopName, stopCount = '1'] = options.stopAt?.split(':') ?? [];
  let remaining = Number(stopCount);
  return {
    now: () => new Date(),
    elapsed: () => performance.now(),
    random: createRandom(),
    reach(point) {
      options.onPoint?.(point);
      if (point === stopName && --remaining === 0) process.kill(process.pid, 'SIGKILL');
    },
  };
}

/** Drawn at once: to ask the system for each few bytes takes ten times as long. */
const DRAWN_BYTES = 4096;

function createRandom(): World['random'] {
  let drawn = Buffer.alloc(0);
  return (bytes) => {
    if (bytes > drawn.length) drawn = randomBytes(Math.max(bytes, DRAWN_BYTES));
    const given = drawn.subarray(0, bytes);
    drawn = drawn.subarray(bytes);
    return given;
  };
}

const ID_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A sortable, URL-safe, unguessable id: prefix, 9 characters of milliseconds, 16 characters (80 bits) of randomness. */
export function newId(world: World, prefix: string): string {
  let time = world.now().getTime();
  let head = '';
  for (let i = 0; i < 9; i++) {
    head = ID_ALPHABET[time % 32] + head;
    time = Math.floor(time / 32);
  }
  let tail = '';
  for (const byte of world.random(16)) tail += ID_ALPHABET[byte & 31];
  return `${prefix}_${head}${tail}`;
}
