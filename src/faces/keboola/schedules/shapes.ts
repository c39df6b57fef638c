/** JSON Schemas of what is sent and answered, for the document. */

const text = (description: string) => ({ type: 'string', description });
const nullable = (type: string, description: string) => ({ type: [type, 'null'], description });

function object(properties: Readonly<Record<string, object>>, required: readonly string[] = Object.keys(properties)) {
  return { type: 'object', required, properties };
}

const settings = {
  crontabRecord: nullable('string', 'Five fields or a macro such as @daily; null: no schedule.'),
  zone: text('Time zone in which it is read; default UTC.'),
  overlap: {
    type: 'string',
    enum: ['enqueue', 'coalesce', 'skip', 'cancelRunning'],
    description: 'What a tick does while a job waits or runs; default coalesce.',
  },
  catchUp: {
    type: 'string',
    enum: ['none', 'one', 'all'],
    description:
      'What becomes of ticks that were missed: no job, one for the latest (default), or one each, at most 101.',
  },
  active: { type: 'boolean', description: 'False: paused. What passes meanwhile is not made up for.' },
};

const job = { type: ['object', 'null'], properties: { id: { type: 'integer' }, uri: { type: 'string' } } };

const skippedTick = object({
  scheduledTime: text('Nominal time.'),
  outcome: { type: 'string', enum: ['missed', 'coalesced', 'skipped', 'refused'] },
  reason: nullable('string', 'For people.'),
  job: { ...job, description: 'The job that was in the way, or that stands for it.' },
});

export const change = object(settings, []);

export const schedule = object({
  orchestrationId: { type: 'integer' },
  ...settings,
  lastScheduledTime: nullable('string', 'Nominal time of the last tick that made a job or was coalesced.'),
  nextScheduledTime: nullable('string', 'Null when it is inactive or has no schedule.'),
  nextRuns: { type: 'array', items: { type: 'string' }, description: 'The next five ticks.' },
  skippedTicks: { type: 'array', items: skippedTick, description: 'The latest twenty; kept for 90 days.' },
  lastError: nullable('string', 'Why the scheduler could not see to the last tick.'),
  uri: { type: 'string' },
});

export const backfillAsk = object(
  {
    from: text('ISO 8601 with offset; part of the interval.'),
    to: text('Not part of the interval; not in the future. At most 1000 ticks may lie in it.'),
    concurrency: {
      type: 'integer',
      minimum: 1,
      maximum: 10,
      description:
        'How many of its jobs may wait or run; default 1. Jobs of one orchestration never run at the same time.',
    },
  },
  ['from', 'to'],
);

export const backfill = object({
  id: { type: 'integer' },
  orchestrationId: { type: 'integer' },
  from: { type: 'string' },
  to: { type: 'string' },
  concurrency: { type: 'integer' },
  status: { type: 'string', enum: ['active', 'done', 'cancelled', 'failed'] },
  message: nullable('string', 'Why it failed or was cancelled.'),
  createdTime: { type: 'string' },
  endTime: nullable('string', 'Null while it is active.'),
  counts: object({
    total: { type: 'integer' },
    created: { type: 'integer' },
    finished: { type: 'integer' },
    failed: { type: 'integer' },
  }),
  jobs: {
    type: 'array',
    items: object({
      logicalTime: { type: 'string' },
      id: nullable('integer', 'Null until the job is made.'),
      status: nullable('string', 'Of the job.'),
      uri: nullable('string', 'Of the job.'),
    }),
  },
  uri: { type: 'string' },
});
