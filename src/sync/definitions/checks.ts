import type { Connectors } from '../../connectors/index.ts';
import type { DestinationConnector, SourceConnector } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import type { AdvancedSettings } from '../types.ts';
import { isObject, isStorable } from './json.ts';
import type { ConnectionKind } from './types.ts';

const PROJECT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

/** Throws `bad_request` unless the text may name a project. */
export function checkProject(project: string): void {
  if (!PROJECT.test(project)) {
    throw new Failure('bad_request', 'project id must be 1 to 255 letters, digits, dots, underscores or dashes');
  }
}

/** The name without surrounding space; `bad_request` unless it has 1 to 100 characters that can be stored. */
export function cleanName(name: string, field: string): string {
  const clean = name.trim();
  const length = [...clean].length;
  if (length < 1 || length > 100) throw new Failure('bad_request', `${field} must have 1 to 100 characters`);
  if (!isStorable(clean)) throw new Failure('bad_request', `${field} holds characters that cannot be stored`);
  return clean;
}

/** Checks the free text of a version. */
export function checkVersion(version: string, field: string): void {
  if (version.trim() === '' || version.length > 200 || !isStorable(version)) {
    throw new Failure('bad_request', `${field} must have 1 to 200 characters`);
  }
}

/** The connector that a type word names; an unknown word is `bad_request` and the message lists those that exist. */
export function connectorOf(
  connectors: Connectors,
  kind: ConnectionKind,
  word: string,
): SourceConnector | DestinationConnector {
  return kind === 'source' ? connectors.findSource(word) : connectors.findDestination(word);
}

const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  max_discover_threads: [1, 100],
  max_threads: [1, 1000],
  memory_mb: [1, 1_048_576],
  timeout_minutes: [1, 525_600],
  retry_count: [0, 100],
  max_quarantine: [0, Number.MAX_SAFE_INTEGER],
  commit_interval_seconds: [1, 3600],
};

/** Reads the advanced settings of a job: known keys are checked, unknown ones kept. */
export function readAdvanced(sent: unknown): AdvancedSettings | null {
  if (sent === undefined || sent === null) return null;
  if (!isObject(sent)) throw new Failure('bad_request', 'advanced_settings must be an object');
  for (const [key, [least, most]] of Object.entries(LIMITS)) {
    const value = sent[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw new Failure('bad_request', `advanced_settings.${key} must be a whole number from ${least} to ${most}`);
    }
  }
  const policy = sent['error_policy'];
  if (policy !== undefined && policy !== null && policy !== 'fail' && policy !== 'quarantine') {
    throw new Failure('bad_request', 'advanced_settings.error_policy must be fail or quarantine');
  }
  const { continuous } = sent;
  if (continuous !== undefined && continuous !== null && typeof continuous !== 'boolean') {
    throw new Failure('bad_request', 'advanced_settings.continuous must be true or false');
  }
  return Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null));
}
