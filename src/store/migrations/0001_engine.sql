-- Runs, their tasks, the attempts at them, their logs, and the outbox. `src/engine/README.md` explains how they move.

-- Grows with every attempt of every task: the larger number owns the task.
create sequence attempt_fence;

create table run (
  id text primary key,
  project text not null,
  kind text not null,
  definition text,
  state text not null
    check (state in ('planned', 'queued', 'running', 'succeeded', 'warned', 'failed', 'cancelled', 'skipped')),
  trigger text not null,
  -- json, not jsonb: what was given comes back as it was, any character included.
  snapshot json,
  concurrency_key text,
  idempotency_key text,
  priority integer not null default 0,
  parent_task_id text,
  created_by text not null,
  queued_at timestamptz not null default now(),
  start_after timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  -- The phase that is executed now, and how many of its tasks are not terminal yet.
  phase integer not null default 0,
  open_tasks integer not null default 0,
  attempts integer not null default 0,
  progress json,
  warnings integer not null default 0,
  -- What has happened to its tasks so far; decides the state at the end.
  has_warned boolean not null default false,
  has_failed boolean not null default false,
  has_cancelled boolean not null default false,
  -- The first cause.
  error json,
  cancel_requested_at timestamptz,
  cancel_requested_by text
);
create unique index run_idempotency on run (idempotency_key) where idempotency_key is not null;
create unique index run_one_live on run (concurrency_key)
  where concurrency_key is not null and state in ('planned', 'queued', 'running');
create index run_by_definition on run (definition, queued_at desc) where definition is not null;
create index run_by_project on run (project, queued_at desc);
create index run_by_time on run (queued_at desc);
create index run_ended on run (ended_at) where ended_at is not null;

create table task (
  id text primary key,
  run_id text not null references run (id) on delete cascade,
  phase integer not null,
  position integer not null,
  key text not null,
  component text not null,
  state text not null
    check (state in ('planned', 'queued', 'running', 'succeeded', 'warned', 'failed', 'cancelled', 'skipped')),
  input json,
  output json,
  error json,
  timeout_ms bigint,
  retry json not null,
  continue_on_failure boolean not null default false,
  concurrency_key text,
  priority integer not null default 0,
  attempt integer not null default 0,
  -- Retries used of the rule, and workers lost one after another.
  retries integer not null default 0,
  losses integer not null default 0,
  fence bigint,
  -- The queue's job while the task is queued.
  job_id uuid,
  queued_at timestamptz,
  started_at timestamptz,
  ended_at timestamptz,
  unique (run_id, key)
);
create unique index task_one_running on task (concurrency_key)
  where concurrency_key is not null and state = 'running';
create index task_queued on task (queued_at) where state = 'queued';

create table attempt (
  task_id text not null references task (id) on delete cascade,
  number integer not null,
  fence bigint not null,
  worker text not null,
  started_at timestamptz not null default now(),
  -- Exactly one of the two while the attempt is open: a worker holds it, or it waits for a callback.
  lease_until timestamptz,
  deadline_at timestamptz,
  -- SHA-256 of the one-time key.
  callback_hash text,
  ended_at timestamptz,
  outcome text,
  error json,
  primary key (task_id, number)
);
create index attempt_open on attempt (task_id) where ended_at is null;
create unique index attempt_callback on attempt (callback_hash) where callback_hash is not null;

-- Where the next line of a run's log begins, in bytes. Its row lock puts writers in order.
create table log_head (
  run_id text primary key references run (id) on delete cascade,
  next_offset bigint not null default 0,
  is_full boolean not null default false
);

-- One flush: whole NDJSON lines from start_offset up to end_offset.
create table log_chunk (
  run_id text not null references run (id) on delete cascade,
  start_offset bigint not null,
  end_offset bigint not null,
  -- Lines that are not debug.
  visible_lines integer not null,
  content text not null,
  primary key (run_id, start_offset)
);

create table outbox (
  id bigint generated always as identity primary key,
  key text not null unique,
  topic text not null,
  payload json,
  created_at timestamptz not null default now(),
  attempt integer not null default 0,
  -- Next delivery; null when it is delivered or given up.
  due_at timestamptz default now(),
  delivered_at timestamptz,
  dead_at timestamptz,
  last_error text
);
create index outbox_due on outbox (due_at) where due_at is not null;
create index outbox_delivered on outbox (delivered_at) where delivered_at is not null;
