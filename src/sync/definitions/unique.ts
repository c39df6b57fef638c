import type { Failure } from '../../errors.ts';

/** Answers what `work` answers; a violated unique index becomes the given failure. */
export async function orConflict<T>(work: Promise<T>, conflict: () => Failure): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as { code?: string }).code === '23505') throw conflict();
    throw error;
  }
}
