import { setTimeout as delay } from 'node:timers/promises';
import type { World } from '../world.ts';
import type { Db, Transaction } from './types.ts';

const TRIES = 12;
const LONGEST_PAUSE_MS = 500;

/** Two transactions met and the database ended one of them: doing all of it again is right. */
function isCollision(error: unknown): boolean {
  const code = (error as { code?: string } | null)?.code;
  return code === '40001' || code === '40P01';
}

/** A runner of transactions that repeats collided work, at most 12 times, after a short random pause. */
export function createTransaction(db: Db, world: World): <T>(work: (tx: Transaction) => Promise<T>) => Promise<T> {
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await db.transaction().execute(work);
      } catch (error) {
        if (!isCollision(error) || attempt === TRIES) throw error;
        const longest = Math.min(2 ** attempt * 5, LONGEST_PAUSE_MS);
        await delay((world.random(2).readUInt16LE() / 65_536) * longest);
      }
    }
  };
}
