-- Orchestrations: named lists of tasks with a schedule, a bound token and people to tell. Rows are never removed, only
-- marked: jobs stay readable, ids are never given twice.

create sequence orchestration_task_id;

create table orchestration (
  id bigint generated always as identity primary key,
  project text not null,
  name text not null,
  crontab text,
  zone text not null default 'UTC',
  -- What a tick of the schedule does while a job of it waits already, and what becomes of ticks missed.
  overlap text not null default 'coalesce' check (overlap in ('enqueue', 'coalesce', 'skip', 'cancelRunning')),
  catch_up text not null default 'one' check (catch_up in ('none', 'one', 'all')),
  active boolean not null default true,
  token_id bigint not null,
  -- The token that was made for it, whether it is bound or not: it ends with the orchestration.
  own_token_id bigint,
  -- JSON arrays as clients see them; the secrets of a task are sealed beside its masked parameters.
  tasks json not null,
  notifications json not null,
  -- Grows with every change: writers compare it.
  revision integer not null default 1,
  last_scheduled_at timestamptz,
  next_scheduled_at timestamptz,
  created_at timestamptz not null default now(),
  created_by text not null,
  deleted_at timestamptz
);
create index orchestration_listing on orchestration (project, id) where deleted_at is null;
create index orchestration_of_token on orchestration (token_id) where deleted_at is null;
create index orchestration_own_token on orchestration (own_token_id) where own_token_id is not null;

-- What a run of an orchestration is besides a run. Lives as long as its run.
create table orchestration_job (
  run_id text primary key references run (id) on delete cascade,
  orchestration_id bigint not null references orchestration (id),
  initialized_by text not null check (initialized_by in ('manually', 'scheduler', 'trigger')),
  token_id bigint not null,
  initiator_id bigint not null,
  initiator_agent text not null default '',
  emails json not null,
  -- The tasks and rules as they were when the job was made; secrets sealed.
  tasks json not null,
  notifications json not null,
  retry_of bigint,
  scheduled_at timestamptz,
  -- Time of the interval that a backfill job stands for.
  logical_at timestamptz,
  coalesced_ticks integer not null default 0,
  -- Running time above which the job counts as slow, taken at its start.
  usual_seconds double precision
);
create index orchestration_job_history on orchestration_job (orchestration_id, run_id desc);

-- One job per tick, whoever finds it due.
create unique index orchestration_job_tick on orchestration_job (orchestration_id, scheduled_at)
  where scheduled_at is not null and initialized_by = 'scheduler';

-- A request with an idempotency key, kept 24 hours: the same body gets what the first one made.
create table orchestration_request (
  token_id bigint not null,
  path text not null,
  key text not null,
  body_hash text not null,
  -- Id of a run, or of an orchestration.
  made text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (token_id, path, key)
);
create index orchestration_request_age on orchestration_request (created_at);
