-- When things fire: one row per thing that has a frequency. `next_fire_at` moves in the transaction that fires.
create table schedule (
  -- Of whom, e.g. `sync.job/11`; the part before the slash says who handles it.
  key text primary key,
  frequency text not null,
  zone text not null default 'UTC',
  -- null: never again.
  next_fire_at timestamptz,
  last_fire_at timestamptz,
  -- Switched off by a person, or held back for as long as some work lasts.
  paused boolean not null default false,
  held boolean not null default false,
  -- What becomes of instants that passed while nobody was there: one run for all, or none.
  catch_up text not null default 'once' check (catch_up in ('once', 'none')),
  -- What happens when the previous run has not ended.
  overlap text not null default 'skip' check (overlap in ('skip')),
  last_error text
);
create index schedule_due on schedule (next_fire_at) where next_fire_at is not null and not paused and not held;
