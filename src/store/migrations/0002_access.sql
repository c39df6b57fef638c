-- Principals, their credentials, and who did what.

create table users (
  id bigint generated always as identity primary key,
  username text not null constraint users_username_unique unique,
  -- Lower case; the application folds it before it writes.
  email text not null constraint users_email_unique unique,
  role text not null check (role in ('admin', 'editor', 'viewer')),
  -- Argon2id in PHC form: carries its own parameters and salt.
  password_hash text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table sessions (
  -- SHA-256 of the cookie value, base64url; the value itself is never stored.
  id text primary key,
  user_id bigint not null references users on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);

create table tokens (
  -- The public part, by which a token is found.
  id text primary key,
  user_id bigint not null references users on delete cascade,
  -- A token given out at sign-in dies with its session.
  session_id text references sessions on delete cascade,
  name text not null,
  -- SHA-256 of the whole token.
  token_hash bytea not null,
  created_at timestamptz not null default now()
);
create index tokens_user on tokens (user_id);
create index tokens_session on tokens (session_id);

create table sign_in_failures (
  id bigint generated always as identity primary key,
  -- SHA-256 of address and user name: bounded, whatever a stranger sends.
  origin bytea not null,
  failed_at timestamptz not null default now()
);
create index sign_in_failures_origin on sign_in_failures (origin, failed_at);
create index sign_in_failures_age on sign_in_failures (failed_at);

-- One row: the id of the server key that seals the secrets of this database, so that a second machine with another
-- key is refused before it writes what the first cannot read.
create table server_key (
  only_one boolean primary key default true check (only_one),
  key_id text not null,
  created_at timestamptz not null default now()
);

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  -- No reference: an entry outlives the user it names.
  user_id bigint,
  username text not null,
  face text not null,
  action text not null,
  project text,
  subject text not null,
  request_id text
);
create index audit_at on audit (at);
