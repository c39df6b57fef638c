-- What people are told of runs: one row per event and recipient. The outbox delivers; this row keeps what was said, and
-- what became of it, for people to read.
create table message (
  id bigint generated always as identity primary key,
  -- Of event and recipient: the second message of one event is dropped.
  key text not null unique,
  project text not null,
  orchestration_id bigint not null,
  job_number bigint not null,
  channel text not null,
  recipient text not null,
  subject text not null,
  text text not null,
  html text not null,
  -- For webhooks: the body, and the sealed secret that signs it.
  data json,
  sealed_secret text,
  -- Messages of one cause are one group.
  cause text not null,
  -- held: there is no transport to send it by.
  state text not null check (state in ('pending', 'sent', 'failed', 'held')),
  -- How often it was given to the outbox: part of the key there.
  sends integer not null default 0,
  attempts integer not null default 0,
  last_error text,
  created_at timestamptz not null default now(),
  sent_at timestamptz
);
create index message_listing on message (project, id desc);
create index message_of_job on message (job_number, id desc);
create index message_of_orchestration on message (orchestration_id, id desc);
create index message_cause on message (project, cause, created_at);
create index message_age on message (created_at);
