import { Failure } from '../../errors.ts';
import type { NewStorageToken } from './types.ts';

const LONGEST = 255;
const MOST_COMPONENTS = 100;
const MOST_BUCKETS = 100;
const LONGEST_SECONDS = 100 * 366 * 86_400;
const PERMISSIONS: readonly unknown[] = ['read', 'write', 'manage'];

/** Fails with `bad_request`, naming the field, when a token cannot be stored like this. */
export function checkNewToken(token: NewStorageToken): void {
  const { description, bucketPermissions = {}, componentAccess = [], expiresInSeconds } = token;
  if (!isText(description, 0)) throw invalid('description', `must have at most ${LONGEST} printable characters`);
  const buckets = Object.entries(bucketPermissions);
  if (buckets.length > MOST_BUCKETS) throw invalid('bucketPermissions', `must have at most ${MOST_BUCKETS} members`);
  for (const [name, permission] of buckets) {
    if (!isText(name, 1)) throw invalid('bucketPermissions', `names must have at most ${LONGEST} characters`);
    if (!PERMISSIONS.includes(permission)) {
      throw invalid(`bucketPermissions.${name}`, `must be one of ${PERMISSIONS.join(', ')}`);
    }
  }
  if (componentAccess.length > MOST_COMPONENTS) {
    throw invalid('componentAccess', `must have at most ${MOST_COMPONENTS} members`);
  }
  const unnamed = componentAccess.findIndex((component) => !isText(component, 1));
  if (unnamed >= 0) throw invalid(`componentAccess[${unnamed}]`, `must have 1 to ${LONGEST} printable characters`);
  if (expiresInSeconds === undefined) return;
  if (!Number.isSafeInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > LONGEST_SECONDS) {
    throw invalid('expiresIn', `must be a whole number of seconds from 1 to ${LONGEST_SECONDS}`);
  }
}

function isText(text: string, least: number): boolean {
  // oxlint-disable-next-line no-control-regex -- they are what is refused
  return text.length >= least && text.length <= LONGEST && !/[\u0000-\u001f\u007f]/.test(text) && text.isWellFormed();
}

function invalid(field: string, reason: string): Failure {
  return new Failure('bad_request', `${field}: ${reason}`, { details: [{ field, reason }] });
}
