import { Type } from 'typebox';
import { count, mapOf, ref, status, text, time, word } from './parts.ts';

/** Shapes of runs, their statistics and their logs. */

const StreamStats = Type.Object(
  {
    rows: count(),
    inserted: count(),
    updated: count(),
    deleted: count(),
    quarantined: count(),
    chunks_total: count(),
    chunks_done: count(),
  },
  { $id: 'StreamStats', description: 'What a run did to the table of one stream.' },
);

const Reconciliation = Type.Object(
  {
    sourceRows: Type.Union([count(), Type.Null()]),
    tableRows: count(),
    sampledRows: count(),
    mismatchedRows: count(),
    verdict: word(['equal', 'different', 'not comparable']),
    note: Type.Optional(text()),
  },
  { $id: 'Reconciliation', description: 'Source against table, once a stream is done.' },
);

const Stats = Type.Partial(
  Type.Object({
    'Writer Threads': count(),
    'Synced Records': count('Rows that this run committed to the destination.'),
    'Bytes Read': count(),
    Speed: text('As in `1234 rps`.'),
    'Seconds Elapsed': text(),
    'Estimated Remaining Time': text(),
    'Memory Usage Bytes': count(),
    'CPU Utilization': text('As in `12.34%`.'),
    Streams: mapOf(ref('StreamStats'), 'By stream id, `namespace.name`.'),
    Reconciliation: mapOf(ref('Reconciliation'), 'By stream id, `namespace.name`.'),
  }),
  { $id: 'Stats', description: 'The `stats.json` of a run; empty before its first figures and for a clear.' },
);

const Task = Type.Object(
  {
    id: text('Opaque, fit for a URL.'),
    file_path: text('Another name of the same run, for the log calls.'),
    start_time: time(),
    end_time: Type.Optional(time('Absent while it runs.')),
    runtime: count('Seconds; so far, while it runs.'),
    runtime_text: text('As in `1m30s`.'),
    status,
    job_type: word(['sync', 'clear', 'maintain', 'verify']),
    trigger: word(['manual', 'schedule', 'api', 'event', 'backfill', 'parent']),
    records: count('Rows committed to the destination.'),
    bytes: count('Bytes read from the source.'),
    stats: ref('Stats'),
    attempts: count(),
    warnings: count(),
    error: Type.Optional(text('The first cause; only when it failed.')),
  },
  { $id: 'Task', description: 'A run of a job.' },
);

const LogPage = Type.Object(
  {
    task_logs: Type.Array(ref('LogLine')),
    logs: Type.Array(ref('LogLine'), { description: 'The same as task_logs.' }),
    older_cursor: count('Byte offset of the first line of the page.'),
    newer_cursor: count('Byte offset after the last line of the page.'),
    has_more_older: Type.Boolean(),
    has_more_newer: Type.Boolean(),
  },
  { $id: 'LogPage', description: 'A page of a log, oldest line first.' },
);

export const runShapes = [StreamStats, Reconciliation, Stats, Task, LogPage];
