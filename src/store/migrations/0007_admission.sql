-- Numbers and paths of runs, lanes and pools, labels, waiting tasks: `src/engine/README.md`.

-- One sequence for all runs. Those that are there are numbered in the order in which they were accepted.
create sequence run_number;
alter table run
  add number bigint,
  add path text,
  add parent_run_id text,
  add labels jsonb not null default '{}',
  add lane text,
  add pool text,
  -- Never removed by age; its log is, once.
  add keep boolean not null default false,
  add is_log_removed boolean not null default false;
update run set number = numbered.number
from (select id, row_number() over (order by queued_at, id) as number from run) numbered where numbered.id = run.id;
select setval('run_number', max(number)) from run having count(*) > 0;
update run set parent_run_id = task.run_id from task where task.id = run.parent_task_id;
with recursive placed as (
  select id, number::text as path from run where parent_run_id is null
  union all
  select child.id, placed.path || '.' || child.number from placed join run child on child.parent_run_id = placed.id
)
update run set path = placed.path from placed where placed.id = run.id;
update run set path = number::text where path is null;
alter table run
  alter number set not null,
  alter number set default nextval('run_number'),
  alter path set not null;

drop index run_by_definition, run_by_project, run_by_time, run_ended;
create unique index run_by_number on run (number);
create index run_by_definition on run (definition, number) where definition is not null;
create index run_by_project on run (project, number);
-- A path and all that begin with it: text_pattern_ops compares byte by byte, whatever the collation.
create index run_by_path on run (path text_pattern_ops);
create index run_by_parent on run (parent_run_id, number) where parent_run_id is not null;
create index run_ended on run (ended_at) where ended_at is not null and not keep;
create index run_log_kept on run (ended_at) where ended_at is not null and keep and not is_log_removed;
create index run_live on run (number) where state in ('planned', 'queued', 'running');
create index run_live_child on run (parent_run_id)
  where parent_run_id is not null and state in ('planned', 'queued', 'running');

-- One row per living run with a lane or a pool. Beside run, because admission reads and writes little of many runs: what
-- it asks here is planned and answered in a part of the time.
create table admission_line (
  run_id text primary key,
  number bigint not null,
  lane text,
  pool text,
  pool_limit integer,
  parent_run_id text,
  start_after timestamptz,
  -- `lane`: waits for its turn in its lane. `pool`: waits for room. `admitted`: until the run has ended.
  stage text not null check (stage in ('lane', 'pool', 'admitted')),
  check ((pool is null) = (pool_limit is null))
);
create index admission_lane on admission_line (lane, number) where stage = 'lane';
-- Nobody else has the lane.
create unique index admission_lane_taken on admission_line (lane) where stage <> 'lane';
create index admission_pool on admission_line (pool, number) where stage = 'pool';
create index admission_child on admission_line (pool, parent_run_id, number) where stage = 'pool';
create index admission_pool_taken on admission_line (pool, parent_run_id) where stage = 'admitted';

-- Holds nothing: whoever admits locks it. A row would have to be there first, also in a database that is being restored.
create table admission_gate (never boolean not null);

-- A run's labels once more, ordered by number: the newest runs with a label are found without reading the others.
create table run_label (
  name text not null,
  value text not null,
  run_number bigint not null,
  primary key (name, value, run_number)
);

alter table task
  add waits boolean not null default false,
  -- What an attempt wants the next one to know.
  add memo json;

-- Not delivered before; its age counts from here.
alter table outbox add not_before timestamptz;
