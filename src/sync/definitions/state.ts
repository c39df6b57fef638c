import { Failure } from '../../errors.ts';
import type { StateFile } from '../types.ts';
import { isObject, parseJson } from './json.ts';
import { findJobState, setJobState } from './tables/jobs.ts';
import type { Queryable } from './types.ts';

/** The state file of a job, numbers beyond 2^53 as raw JSON values; `{}` before the first sync. */
export async function loadState(queryable: Queryable, jobId: number): Promise<StateFile> {
  return parseJson((await findJobState(queryable, jobId)) ?? '{}', 'stored state') as StateFile;
}

/** Replaces the state file of a job. Run it inside `attempt.guarded`, so that only the owner of the work writes. */
export async function saveState(queryable: Queryable, jobId: number, state: StateFile): Promise<void> {
  await setJobState(queryable, jobId, JSON.stringify(state));
}

/** Throws `bad_request` unless the value is a state file as contract section 5.5 describes it. */
export function checkState(value: unknown): asserts value is StateFile {
  if (!isObject(value)) throw refuse('state', 'must be a JSON object');
  if (Object.keys(value).length === 0) return;
  if (!['STREAM', 'GLOBAL', 'MIXED'].includes(value['type'] as string)) {
    throw refuse('state.type', 'must be STREAM, GLOBAL or MIXED');
  }
  const version = value['version'];
  if (version !== undefined && !Number.isSafeInteger(version)) throw refuse('state.version', 'must be an integer');
  checkGlobal(value['global']);
  const streams = value['streams'] ?? [];
  if (!Array.isArray(streams)) throw refuse('state.streams', 'must be an array');
  for (const [index, stream] of streams.entries()) checkStream(stream, `state.streams[${index}]`);
}

function checkGlobal(global: unknown): void {
  if (global === undefined || global === null) return;
  if (!isObject(global)) throw refuse('state.global', 'must be an object');
  const streams = global['streams'] ?? [];
  if (!Array.isArray(streams) || streams.some((stream) => typeof stream !== 'string')) {
    throw refuse('state.global.streams', 'must be an array of stream ids');
  }
}

function checkStream(stream: unknown, place: string): void {
  if (!isObject(stream)) throw refuse(place, 'must be an object');
  for (const key of ['stream', 'namespace']) {
    if (typeof stream[key] !== 'string') throw refuse(`${place}.${key}`, 'must be a string');
  }
  if (!isObject(stream['state'])) throw refuse(`${place}.state`, 'must be an object');
}

/** The state file without what it knows of these streams (`namespace.name`). */
export function forgetStreams(state: StateFile, ids: readonly string[]): StateFile {
  const gone = new Set(ids);
  const streams = (state.streams ?? []).filter((entry) => !gone.has(`${entry.namespace}.${entry.stream}`));
  const global = state.global && {
    ...state.global,
    streams: (state.global.streams ?? []).filter((id) => !gone.has(id)),
  };
  return streams.length === 0 && !global ? {} : { ...state, ...(global && { global }), streams };
}

function refuse(field: string, reason: string): Failure {
  return new Failure('bad_request', `${field} ${reason}`, { details: [{ field, reason }] });
}
