-- Loads whose chunks several tasks of a run read: `src/sync/attempt/share/README.md`. Rows live as long as their load.

-- Live while the task that began it runs under the same fence. No reference to its run: that would lock the run's row
-- after the task's, against the order that the engine keeps. The end of the run removes what its tasks left.
create table shared_load (
  id text primary key,
  run_id text not null,
  -- The task that commits, and its fence.
  task_id text not null,
  fence bigint not null,
  -- What readers need to know of stream and table; no secrets.
  spec json not null
);
create index shared_load_run on shared_load (run_id);

-- Removed once it is committed.
create table shared_chunk (
  load_id text not null references shared_load (id) on delete cascade,
  number integer not null,
  -- The source's own word for the part, as in a checkpoint.
  chunk json not null,
  state text not null default 'open' check (state in ('open', 'claimed', 'sealed')),
  -- Who reads it or has read it. A claim holds while that task runs under that fence.
  task_id text,
  fence bigint,
  -- How far the reader is, for statistics.
  progress json,
  -- The files and what else the reader hands over.
  sealed json,
  primary key (load_id, number)
);
