-- How large a document is and how it begins, beside it: a page of many decides what it shows without reading any.
alter table task
  add input_bytes integer generated always as (octet_length(input::text)) stored,
  add output_bytes integer generated always as (octet_length(output::text)) stored,
  add output_head text generated always as (left(output::text, 64)) stored;
alter table orchestration_job
  add tasks_bytes integer generated always as (octet_length(tasks::text)) stored;

-- Holds nothing: whoever starts a nested job locks it, as those who admit lock admission_gate.
create table nesting_gate (never boolean not null);
