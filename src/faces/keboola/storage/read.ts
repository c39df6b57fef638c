import type { NewStorageToken, StorageTokenChange } from '../../../access/index.ts';
import { Failure } from '../../../errors.ts';

type Sent = Readonly<Record<string, unknown>>;

/** Reads a new token as JSON or form clients send it; limits of lengths are the room's to check. */
export function readNewToken(sent: Sent): NewStorageToken {
  return {
    description: readText(sent, 'description') ?? '',
    canManageBuckets: readFlag(sent, 'canManageBuckets'),
    canManageTokens: readFlag(sent, 'canManageTokens'),
    canReadAllFileUploads: readFlag(sent, 'canReadAllFileUploads'),
    canPurgeTrash: readFlag(sent, 'canPurgeTrash'),
    bucketPermissions: readMap(sent, 'bucketPermissions') ?? {},
    componentAccess: readList(sent, 'componentAccess') ?? [],
    expiresInSeconds: readSeconds(sent, 'expiresIn'),
  };
}

/** Only what is sent is replaced. */
export function readTokenChange(sent: Sent): StorageTokenChange {
  const description = readText(sent, 'description');
  const bucketPermissions = readMap(sent, 'bucketPermissions');
  const componentAccess = readList(sent, 'componentAccess');
  return {
    ...(description !== undefined && { description }),
    ...(bucketPermissions !== undefined && { bucketPermissions }),
    ...(componentAccess !== undefined && { componentAccess }),
  };
}

function readText(sent: Sent, field: string): string | undefined {
  const value = sent[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw invalid(field, 'must be text');
}

const YES: readonly unknown[] = [true, 1, '1', 'true'];
const NO: readonly unknown[] = [undefined, null, false, 0, '0', 'false', ''];

function readFlag(sent: Sent, field: string): boolean {
  const value = sent[field];
  if (YES.includes(value)) return true;
  if (NO.includes(value)) return false;
  throw invalid(field, 'must be true or false');
}

/** PHP writes an empty object as an empty array. */
function readMap(sent: Sent, field: string): Sent | undefined {
  const value = sent[field];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.length === 0) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Sent;
  throw invalid(field, 'must be an object');
}

/** An array, or an object with numbers as keys, which is how forms and PHP write one. */
function readList(sent: Sent, field: string): readonly string[] | undefined {
  const value = sent[field];
  if (value === undefined || value === null) return undefined;
  const members: readonly unknown[] | undefined = Array.isArray(value) ? value : membersOf(value);
  if (members?.every((member): member is string => typeof member === 'string')) return members;
  throw invalid(field, 'must be an array of texts');
}

function membersOf(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.keys(value).every((key) => /^\d+$/.test(key)) ? Object.values(value) : undefined;
}

function readSeconds(sent: Sent, field: string): number | undefined {
  const value = sent[field];
  if (value === undefined || value === null || value === '') return undefined;
  const seconds = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds >= 1) return seconds;
  throw invalid(field, 'must be a whole number of seconds from 1');
}

function invalid(field: string, reason: string): Failure {
  return new Failure('bad_request', `${field}: ${reason}`, { details: [{ field, reason }] });
}
