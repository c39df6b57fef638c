-- A check for each new row costs as much as the row. Tasks are written by the statement that writes their run, or with
-- the run locked, and removed by the one that removes it. A job is written with its run and with its orchestration
-- locked; no orchestration is ever removed, and no run of a job.
alter table task drop constraint task_run_id_fkey;
alter table orchestration_job
  drop constraint orchestration_job_run_id_fkey,
  drop constraint orchestration_job_orchestration_id_fkey;

-- Read by nobody: the jobs of an orchestration are found by the definition of their runs.
drop index orchestration_job_history;

-- The times of its schedule change with each tick, and no index looks at them: there is room beside every old row, since
-- those of a page often change together.
alter table orchestration set (fillfactor = 50);
