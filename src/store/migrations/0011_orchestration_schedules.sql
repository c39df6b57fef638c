-- Ticks of schedules that made no job of their own, and backfills: `src/orchestrate/README.md`.

-- With `orchestration_job.scheduled_at`, one entry for every tick that was seen to. Kept for 90 days.
create table orchestration_tick (
  orchestration_id bigint not null references orchestration (id),
  due_at timestamptz not null,
  -- missed: nobody was there. coalesced: its job waited until a later tick, which it stands for now. skipped: another job
  -- had not ended. refused: no job can be made.
  outcome text not null check (outcome in ('missed', 'coalesced', 'skipped', 'refused')),
  reason text,
  -- The job that was in the way, or that stands for it.
  run_id text,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (orchestration_id, due_at)
);
create index orchestration_tick_age on orchestration_tick (seen_at);

-- Jobs for instants of the past: a few at a time, so that others of the orchestration have their turn between them.
create table orchestration_backfill (
  id bigint generated always as identity primary key,
  orchestration_id bigint not null references orchestration (id),
  from_at timestamptz not null,
  to_at timestamptz not null,
  -- Its instants, ascending, and how many of them have got their job.
  times timestamptz[] not null,
  made integer not null default 0,
  -- Of its jobs, how many may wait or run.
  concurrency integer not null,
  state text not null default 'active' check (state in ('active', 'done', 'cancelled', 'failed')),
  message text,
  initiator_id bigint not null,
  initiator_agent text not null,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create index orchestration_backfill_of on orchestration_backfill (orchestration_id, id);
create unique index orchestration_backfill_active on orchestration_backfill (orchestration_id) where state = 'active';

alter table orchestration_job add backfill_id bigint references orchestration_backfill (id);
create index orchestration_job_backfill on orchestration_job (backfill_id) where backfill_id is not null;
