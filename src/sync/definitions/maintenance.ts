import type { MaintenancePolicy } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import type { AdvancedSettings, MaintenanceSettings } from '../types.ts';
import { isObject } from './json.ts';

const MEGABYTE = 1024 * 1024;
const DAY_MS = 86_400_000;

/** Least, most, and what counts when it is absent. */
const LIMITS: Readonly<Record<keyof Omit<MaintenanceSettings, 'frequency'>, readonly [number, number, number]>> = {
  target_file_mb: [1, 10_240, 256],
  min_files: [2, 100_000, 5],
  expire_snapshots_days: [0, 36_500, 5],
  keep_snapshots: [1, 100_000, 20],
  remove_orphans_days: [1, 36_500, 3],
};

/** Checks `advanced_settings.maintenance`; `bad_request` names the wrong field. */
export function checkMaintenance(sent: unknown, checkFrequency: (text: string) => void): void {
  if (sent === undefined || sent === null || sent === false) return;
  if (!isObject(sent)) throw refused('', 'must be an object, or false for none');
  for (const [key, [least, most]] of Object.entries(LIMITS)) {
    const value = sent[key];
    if (value === undefined) continue;
    const whole = typeof value === 'number' && Number.isSafeInteger(value);
    if (!whole || value < least || value > most) throw refused(key, `must be a whole number from ${least} to ${most}`);
  }
  const { frequency } = sent;
  if (frequency === undefined) return;
  if (typeof frequency !== 'string') throw refused('frequency', 'must be a text');
  checkFrequency(frequency);
}

function refused(key: string, reason: string): Failure {
  const field = `advanced_settings.maintenance${key === '' ? '' : `.${key}`}`;
  return new Failure('bad_request', `${field} ${reason}`, { details: [{ field, reason }] });
}

/** What upkeep of the job's tables does. */
export function policyOf({ maintenance }: AdvancedSettings): MaintenancePolicy {
  const chosen = maintenance || {};
  const setting = (key: keyof typeof LIMITS): number => chosen[key] ?? LIMITS[key][2];
  return {
    compact: { targetFileBytes: setting('target_file_mb') * MEGABYTE, minInputFiles: setting('min_files') },
    expireSnapshots: { olderThanMs: setting('expire_snapshots_days') * DAY_MS, keepAtLeast: setting('keep_snapshots') },
    removeOrphans: { olderThanMs: setting('remove_orphans_days') * DAY_MS },
  };
}

/**
 * When the tables of the job are looked after, unless it says otherwise: at night, spread over jobs; every hour where
 * commits of a job that stays on make many small files. Null = never.
 */
export function maintenanceFrequency(jobId: number, settings: AdvancedSettings): string | null {
  const { maintenance, continuous } = settings;
  if (maintenance === false) return null;
  const minute = (jobId * 7) % 60;
  return maintenance?.frequency ?? (continuous ? `${minute} * * * *` : `${minute} ${(jobId * 5) % 6} * * *`);
}
