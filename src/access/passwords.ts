import { Failure } from '../errors.ts';
import type { World } from '../world.ts';

type Argon2 = typeof import('@node-rs/argon2');

// Argon2id is the package's default algorithm. Raise these freely: old hashes are renewed at the next sign-in.
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const HASHES_AT_ONCE = 2;
/** Some seconds of work: whoever comes after that is told so instead of being kept waiting. */
const MOST_WAITING = 200;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** With `hash` undefined (no such user) it takes as long as with one, and answers false. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
  /** Whether a hash was made with weaker parameters than those in force. */
  isOutdated(hash: string): boolean;
}

/** Password hashing with a bound on how many run at once, because each holds its memory. */
export function createPasswords(world: World): Passwords {
  const limited = limitTo(HASHES_AT_ONCE);
  let argon2: Promise<Argon2> | undefined;
  let decoy: Promise<string> | undefined;
  const load = (): Promise<Argon2> => (argon2 ??= import('@node-rs/argon2'));
  const hash = async (password: string): Promise<string> => {
    const library = await load();
    return limited(() => library.hash(password, PARAMETERS));
  };
  return {
    hash,
    async verify(stored, password) {
      const library = await load();
      // Made before the first comparison of any kind, so that an unknown user does not show by its cost.
      decoy ??= hash(world.random(16).toString('hex'));
      const against = stored ?? (await decoy);
      const matches = await limited(() => library.verify(against, password));
      return matches && stored !== undefined;
    },
    isOutdated: (stored) => {
      const [, memory, time, lanes] = /\$m=(\d+),t=(\d+),p=(\d+)\$/.exec(stored) ?? [];
      return (
        !stored.startsWith('$argon2id$') ||
        Number(memory) < PARAMETERS.memoryCost ||
        Number(time) < PARAMETERS.timeCost ||
        Number(lanes) < PARAMETERS.parallelism
      );
    },
  };
}

/** Runs at most `most` works at once, the others in order of arrival. */
function limitTo(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (waiting.length >= MOST_WAITING) {
      throw new Failure('too_many_requests', 'Too many people sign in at this moment.');
    }
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
