import type { StatusWord } from '../../orchestrate/index.ts';

/** Whether a job of this status stays as it is. */
export function isFinished(status: StatusWord): boolean {
  return status !== 'waiting' && status !== 'processing' && status !== 'terminating';
}
