import { Failure } from '../../errors.ts';
import type { StateFile, StreamState } from '../types.ts';
import { parseExactly, rawNumber } from './exact.ts';
import { streamId } from './names.ts';

export const STATE_VERSION = 7;

/** Reads a state file (contract 5.5); numbers that a double cannot hold stay exact. `bad_request` when it is none. */
export function parseState(text: string): StateFile {
  let value: unknown;
  try {
    value = parseExactly(text);
  } catch {
    throw refused('give JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('give an object');
  const state = value as StateFile;
  if (state.streams !== undefined && !Array.isArray(state.streams)) throw refused('"streams" must be an array');
  for (const entry of state.streams ?? []) {
    if (typeof entry?.stream !== 'string' || typeof entry.state !== 'object' || entry.state === null) {
      throw refused('every entry of "streams" needs a stream and a state');
    }
  }
  if (state.type !== undefined && !['STREAM', 'GLOBAL', 'MIXED'].includes(state.type)) {
    throw refused('"type" must be STREAM, GLOBAL or MIXED');
  }
  return state;
}

export function writeState(state: StateFile): string {
  return JSON.stringify(state);
}

/** The same state with the parts of `change` in place of its own: entries of streams, and the place in a common log. */
export function withChange(state: StateFile, change: Pick<StateFile, 'streams' | 'global'>): StateFile {
  const entries = change.streams ?? [];
  const changed = new Set(entries.map(idOf));
  const streams = [...(state.streams ?? []).filter((other) => !changed.has(idOf(other))), ...entries];
  const global = change.global ?? state.global;
  const followed = new Set(global?.streams);
  const type = !global ? 'STREAM' : streams.every((entry) => followed.has(idOf(entry))) ? 'GLOBAL' : 'MIXED';
  return { ...state, type, version: state.version ?? STATE_VERSION, ...(global && { global }), streams };
}

/** The same state without these streams; `{}` when nothing is left. */
export function withoutStreams(state: StateFile, ids: ReadonlySet<string>): StateFile {
  const streams = (state.streams ?? []).filter((entry) => !ids.has(idOf(entry)));
  const complete = state.global?.streams.filter((id) => !ids.has(id)) ?? [];
  if (streams.length === 0 && complete.length === 0) return {};
  return { ...state, streams, ...(state.global ? { global: { ...state.global, streams: complete } } : {}) };
}

export function streamStateOf(state: StateFile, id: string): StreamState | undefined {
  return state.streams?.find((entry) => idOf(entry) === id);
}

/**
 * A cursor value as state files spell it: whole numbers as exact JSON integers, times with nine digits of a second,
 * everything else as text.
 */
export function stateValue(text: string | null, kind: string): unknown {
  if (text === null) return null;
  if ((kind === 'int' || kind === 'long') && /^-?\d+$/.test(text)) return rawNumber(text);
  const time = kind === 'timestamp' ? /^(.{19})(?:\.(\d{1,9}))?Z$/.exec(text) : null;
  return time ? `${time[1]}.${(time[2] ?? '').padEnd(9, '0')}Z` : text;
}

function idOf(entry: StreamState): string {
  return streamId({ namespace: entry.namespace ?? '', name: entry.stream });
}

function refused(reason: string): Failure {
  return new Failure('bad_request', `not a state file: ${reason}`);
}
