import type { Role, User } from '../../access/index.ts';
import type { LogEntry, LogPage, RunView, State } from '../../engine/index.ts';
import type { Failure } from '../../errors.ts';
import {
  describeStats,
  showForm,
  type ConnectionItem,
  type JobEnd,
  type JobView,
  type JsonForm,
  type LastRun,
} from '../../sync/index.ts';
import type { SyncProgress } from '../../sync/index.ts';

/** Engine words to the words of this API. Nothing else in the face knows a status word. */
const STATUS: Readonly<Record<State, string>> = {
  planned: 'Running',
  queued: 'Running',
  running: 'Running',
  succeeded: 'Completed',
  warned: 'Completed',
  failed: 'Failed',
  cancelled: 'Canceled',
  skipped: 'Canceled',
};

export function statusWord(state: State): string {
  return STATUS[state];
}

const ROLE_WORDS: Readonly<Record<Role, string>> = { admin: 'admin', editor: 'member', viewer: 'viewer' };

export function roleWord(role: Role): string {
  return ROLE_WORDS[role];
}

export function roleOf(word: string | undefined): Role {
  return word === 'admin' || word === 'viewer' ? word : 'editor';
}

export function showUser(user: User) {
  const { id, username, email, role, createdAt, updatedAt } = user;
  return { id, username, email, role: roleWord(role), created_at: createdAt, updated_at: updatedAt };
}

function showLastRun(last: LastRun | null) {
  return last && { last_run_time: last.time, last_run_state: statusWord(last.state) };
}

export function showConnection(item: ConnectionItem, form?: JsonForm) {
  return {
    id: item.id,
    name: item.name,
    type: item.type,
    version: item.version,
    config: showForm(item.config, form),
    created_at: item.createdAt,
    updated_at: item.updatedAt,
    created_by: item.createdBy,
    updated_by: item.updatedBy,
    jobs: item.jobs.map((job) => ({
      id: job.id,
      name: job.name,
      activate: job.active,
      ...(item.kind === 'source'
        ? { dest_name: job.otherName, destination_name: job.otherName, destination_type: job.otherType }
        : { source_name: job.otherName, source_type: job.otherType }),
      ...showLastRun(job.lastRun),
    })),
  };
}

function showEnd(end: JobEnd, form: JsonForm | undefined) {
  const { id, name, type, version, config } = end;
  return { id, name, type, version, config: showForm(config, form) };
}

export function showJob(job: JobView, form?: JsonForm) {
  return {
    id: job.id,
    name: job.name,
    source: showEnd(job.source, form),
    destination: showEnd(job.destination, form),
    streams_config: showForm(job.streams, form),
    frequency: job.frequency,
    activate: job.active,
    ...showLastRun(job.lastRun),
    ...(job.lastRun && { last_run_type: job.lastRun.type }),
    created_at: job.createdAt,
    updated_at: job.updatedAt,
    created_by: job.createdBy,
    updated_by: job.updatedBy,
    ...(job.advanced && { advanced_settings: job.advanced }),
  };
}

/** A run as an item of the task list; `now` ends the runtime of one that has not ended. */
export function showRun(run: RunView, now: Date) {
  const progress = run.kind === 'sync' ? (run.progress as Partial<SyncProgress> | null) : null;
  const start = run.startedAt ?? run.queuedAt;
  const runtime = Math.max(0, Math.floor(((run.endedAt ?? now).getTime() - start.getTime()) / 1000));
  return {
    id: run.id,
    file_path: run.id,
    start_time: start,
    ...(run.endedAt && { end_time: run.endedAt }),
    runtime,
    runtime_text: durationText(runtime),
    status: statusWord(run.state),
    job_type: run.kind,
    trigger: run.trigger,
    records: progress?.records ?? 0,
    bytes: progress?.bytesRead ?? 0,
    stats: showStats(progress),
    attempts: run.attempts,
    warnings: run.warnings,
    ...(run.error && run.state === 'failed' && { error: run.error.message }),
  };
}

/** Seconds as `1h2m3s`, without leading units that are zero. */
export function durationText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const head = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : '';
  return `${head}${seconds % 60}s`;
}

/** Progress in the words of the original's stats file. */
export function showStats(progress: Partial<SyncProgress> | null): Record<string, unknown> {
  return progress === null ? {} : describeStats(progress);
}

/** A page of a log; the same lines under the seed's word and the original's. */
export function showLog(page: LogPage) {
  const lines = page.entries.map(showLine);
  return {
    task_logs: lines,
    logs: lines,
    older_cursor: page.olderCursor,
    newer_cursor: page.newerCursor,
    has_more_older: page.hasOlder,
    has_more_newer: page.hasNewer,
  };
}

function showLine({ level, time, message }: LogEntry) {
  return { level, time, message };
}

/** What this API says for a failure. Only our own defects are 500; their details stay in the server's log. */
export function replyTo(failure: Failure): { readonly status: number; readonly body: unknown } {
  const [status, message] = sentenceFor(failure);
  const details = status === 400 && failure.details.length > 0 ? { details: failure.details } : {};
  return { status, body: { success: false, message, ...details } };
}

function sentenceFor(failure: Failure): [number, string] {
  switch (failure.status) {
    case 400:
    case 415:
    case 422:
      return [400, `Bad request: ${failure.message}`];
    case 401:
      return [401, failure.message === 'Invalid credentials' ? 'Invalid credentials' : 'Authentication required'];
    case 403:
      return [403, 'Insufficient permissions'];
    case 404:
      return [404, 'Resource not found'];
    case 409:
      return [409, `Conflict: ${failure.message}`];
    case 413:
      return [413, 'Request body too large'];
    case 429:
      return [429, 'Too many attempts'];
    case 503:
    case 504:
      return [failure.status, 'Service temporarily unavailable'];
    default:
      return [500, 'Internal server error'];
  }
}
