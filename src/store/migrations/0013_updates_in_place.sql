-- An update that changes no indexed column, and finds room beside the old row, touches no index. So no index of runs and
-- tasks looks at their state: runs change it twice before they end, and tasks each time.
drop index run_live, run_live_child, run_one_live, task_queued, task_one_running;
create index run_live on run (number) where ended_at is null;
create index run_live_child on run (parent_run_id) where parent_run_id is not null and ended_at is null;
create unique index run_one_live on run (concurrency_key) where concurrency_key is not null and ended_at is null;
-- Changes with the state only where there is a key.
alter table task
  add running_key text generated always as (case when state = 'running' then concurrency_key end) stored;
create unique index task_one_running on task (running_key) where running_key is not null;
alter table run set (fillfactor = 60);
alter table task set (fillfactor = 60);
alter table attempt set (fillfactor = 80);
