-- Who acts in the orchestrator. Rows of tokens are marked, not removed, when they end: history shows their names.

create table storage_token (
  id bigint generated always as identity primary key,
  project text not null,
  kind text not null check (kind in ('user', 'orchestration')),
  -- Whose role bounds it; no reference, because its name outlives the user. 0 stands for the bootstrap token.
  user_id bigint not null,
  description text not null,
  is_master boolean not null default false,
  can_manage_buckets boolean not null default false,
  can_manage_tokens boolean not null default false,
  can_read_all_file_uploads boolean not null default false,
  can_purge_trash boolean not null default false,
  bucket_permissions json not null default '{}',
  -- Array of component ids; empty means all.
  component_access json not null default '[]',
  -- SHA-256 of the text; null while nobody was given one.
  token_hash bytea,
  creator_id bigint,
  created_at timestamptz not null default now(),
  refreshed_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz
);
create unique index storage_token_text on storage_token (token_hash) where token_hash is not null;
create unique index storage_token_master on storage_token (project, user_id) where is_master;
create index storage_token_listing on storage_token (project, id) where revoked_at is null;
create index storage_token_user on storage_token (user_id);

-- Texts that components get for one run: each stands for a token, and ends after its run.
create table storage_run_token (
  token_hash bytea primary key,
  token_id bigint not null references storage_token on delete cascade,
  run_id text not null references run on delete cascade,
  -- It was sent to a host that is not trusted: it can only verify itself.
  is_restricted boolean not null,
  created_at timestamptz not null default now(),
  -- Null until the run has ended.
  expires_at timestamptz
);
create index storage_run_token_token on storage_run_token (token_id);
create index storage_run_token_run on storage_run_token (run_id);
