import type { RetryRule } from '../../engine/index.ts';
import type { AdvancedSettings } from '../types.ts';

/** How the tasks of a job's runs are tried again. */
export function retryOf(advanced: AdvancedSettings): RetryRule {
  return { limit: advanced.retry_count ?? 3, firstDelayMs: 1000, factor: 5, longestDelayMs: 300_000 };
}
