import type { ComponentAnswer } from './types.ts';

/** A job that goes on at a component. */
export interface ForeignJob {
  readonly url: string;
  /** Null when it did not tell: then it cannot be killed. */
  readonly id: string | null;
}

/** What a next attempt must know. `starting`: a request is on its way that may have begun something. */
export type Memo =
  | { readonly step: 'starting' | 'waiting'; readonly attempts: number }
  | { readonly step: 'polling'; readonly job: ForeignJob }
  | { readonly step: 'answered'; readonly answer: ComponentAnswer };

/** The engine keeps 64 KiB for a task. A larger answer is not kept: a crash right after it counts as one before it. */
const LARGEST_ANSWER_BYTES = 32 * 1024;

export function readMemo(memo: unknown): Memo | undefined {
  return (memo ?? undefined) as Memo | undefined;
}

export function fitsMemo(answer: ComponentAnswer): boolean {
  return Buffer.byteLength(JSON.stringify(answer)) <= LARGEST_ANSWER_BYTES;
}
