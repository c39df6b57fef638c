-- Definitions of replication: connections, jobs and settings of a project. Rows are never removed, only marked:
-- names are unique among live rows, ids are never given twice.

create table connection (
  id bigint generated always as identity primary key,
  project text not null,
  kind text not null check (kind in ('source', 'destination')),
  name text not null,
  -- As the client spelled it, and the connector that it names.
  type text not null,
  canonical_type text not null,
  version text not null,
  -- What the sealed config is bound to.
  place text not null unique,
  sealed_config text not null,
  -- The config as JSON text with secrets masked: what reads show.
  shown_config text not null,
  config_form text not null check (config_form in ('string', 'object')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by text not null,
  updated_by text not null,
  deleted_at timestamptz
);

create unique index connection_live_name on connection (project, kind, name) where deleted_at is null;
create index connection_listing on connection (project, kind, updated_at desc, id desc) where deleted_at is null;

create table job (
  id bigint generated always as identity primary key,
  project text not null,
  name text not null,
  source_id bigint not null references connection (id),
  destination_id bigint not null references connection (id),
  frequency text not null,
  active boolean not null,
  -- JSON text, kept as text so that every number survives exactly.
  streams_config text not null,
  streams_form text not null check (streams_form in ('string', 'object')),
  state text not null default '{}',
  advanced_settings text,
  -- Newest run, kept here so that it outlives the run's own row.
  last_run_id text,
  last_run_queued_at timestamptz,
  last_run_time timestamptz,
  last_run_state text,
  last_run_type text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by text not null,
  updated_by text not null,
  deleted_at timestamptz
);

create unique index job_live_name on job (project, name) where deleted_at is null;
create index job_listing on job (project, updated_at desc, id desc) where deleted_at is null;
create index job_of_source on job (source_id) where deleted_at is null;
create index job_of_destination on job (destination_id) where deleted_at is null;

create table project_settings (
  id bigint generated always as identity primary key,
  project text not null unique,
  webhook_alert_url text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by text not null,
  updated_by text not null
);
