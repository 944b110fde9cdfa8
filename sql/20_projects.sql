-- Projects: who may see what.
--
-- A project is the wall between customers of one database. Every per-subject table carries the project and is under
-- forced row security; without a project established for the session the policies show nothing. The project comes
-- from one of two places, never from a setting that an ordinary role could SET:
--   1. memory_profile.project, a superuser-only setting of the library, written by use_project() and by the check of
--      an API key;
--   2. the binding of the current role in project_role; whoever may act as the extension's owner works in the project
--      "default" until told otherwise.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'memory_profile_user') then
    create role memory_profile_user nologin;
  end if;
  if not exists (select from pg_catalog.pg_roles where rolname = 'memory_profile_http') then
    create role memory_profile_http nologin;
  end if;
  grant memory_profile_user to memory_profile_http;
end
$$;

create table project (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (name ~ '^[a-zA-Z0-9_.-]{1,100}$'),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default now()
);
comment on table project is 'Projects of this database: each has its own subjects, schema, settings and API keys';

create table project_role (
  role name not null,
  project_id uuid not null references project on delete cascade,
  is_default boolean not null default true,
  primary key (role, project_id)
);
create unique index project_role_default on project_role (role) where is_default;
comment on table project_role is 'Which database role may work in which project, and in which one it starts';

create table api_key (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references project on delete cascade,
  name text,
  key_sha256 bytea not null unique,
  prefix text not null,
  scopes text[] not null default '{*}',
  subjects text[],
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
comment on table api_key is 'Keys of the HTTP APIs: only their sha-256 is stored';
comment on column api_key.subjects is 'External ids that the key is limited to; NULL means every subject of the project';

-- The default project has the same id everywhere, so that subject keys, which derive from it, survive a move.
insert into project (id, name) values ('00000000-0000-4000-8000-000000000001', 'default');

-- A dump holds the default project's row, and CREATE EXTENSION has just made it again: the dump's row wins.
create function _project_restore() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  update project set settings = new.settings, created_at = new.created_at where id = new.id and name = new.name;
  return case when found then null else new end;
end
$$;

create trigger project_restore before insert on project
  for each row when (new.name = 'default') execute function _project_restore();
-- Also where rows come without triggers: in logical replication, and in a restore that puts off foreign keys.
alter table project enable always trigger project_restore;

-- The project of the session --------------------------------------------------------------------------------------

create function _role_project(role name) returns uuid
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  bound uuid;
begin
  select project_id into bound from project_role r where r.role = _role_project.role and is_default;
  if found then
    return bound;
  end if;
  perform from pg_extension where extname = 'memory_profile' and pg_has_role(_role_project.role, extowner, 'MEMBER');
  return case when found then '00000000-0000-4000-8000-000000000001'::uuid end;
end
$$;

-- Every policy asks this, so it is inlined: no SET clause, and every name in full.
create function current_project() returns uuid
language sql stable parallel safe
as $$
  select coalesce(memory_profile._session_project(), memory_profile._role_project(current_user))
$$;
comment on function current_project() is 'The project that this session works in; NULL when none is established, and then nothing is visible';

create function _project() returns uuid
language plpgsql stable parallel safe
as $$
declare
  project uuid := memory_profile.current_project();
begin
  if project is null then
    raise insufficient_privilege using
      message = 'no project is established for this session',
      hint = 'Ask an administrator to bind the role: SELECT memory_profile.project_bind(project, role).';
  end if;
  return project;
end
$$;

create function use_project(name text, is_local boolean default false) returns void
language plpgsql security definer
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  -- The caller's role: within this function current_user is its owner.
  caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
  target uuid;
begin
  select p.id into target
  from project p
  where p.name = use_project.name
    and (exists (select from project_role r where r.project_id = p.id and r.role = caller)
         or exists (select from pg_extension where extname = 'memory_profile' and pg_has_role(caller, extowner, 'MEMBER')));
  if not found then
    raise insufficient_privilege using
      message = format('role "%s" may not use project "%s"', caller, use_project.name),
      detail = 'The project does not exist, or the role is not bound to it.',
      hint = 'Ask an administrator to bind the role: SELECT memory_profile.project_bind(project, role).';
  end if;
  perform set_config('memory_profile.project', target::text, is_local);
  perform set_config('memory_profile.subjects', '', is_local);
end
$$;
comment on function use_project(text, boolean) is 'Makes a project that the current role is bound to the current one, for the session or, with is_local, for the transaction';

-- Administration: for the extension's owner, and for whom it grants EXECUTE ---------------------------------------

create function project_create(name text, settings jsonb default '{}') returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  created uuid;
begin
  if coalesce(btrim(name), '') = '' then
    raise invalid_parameter_value using message = 'the name of a project must not be empty';
  end if;
  perform _check_settings(settings);
  insert into project (name, settings) values (project_create.name, project_create.settings) on conflict do nothing returning id into created;
  if created is null then
    raise unique_violation using message = format('project "%s" already exists', name);
  end if;
  return created;
end
$$;
comment on function project_create(text, jsonb) is 'Creates a project and returns its id';

create function _project_id(name text) returns uuid
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  found_id uuid;
begin
  select id into found_id from project p where p.name = _project_id.name;
  if not found then
    raise undefined_object using
      message = format('project "%s" does not exist', _project_id.name),
      hint = 'Create it with memory_profile.project_create(name).';
  end if;
  return found_id;
end
$$;

create function project_bind(project text, role name, is_default boolean default true) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if not exists (select from pg_roles where rolname = project_bind.role) then
    raise undefined_object using message = format('role "%s" does not exist', project_bind.role);
  end if;
  if project_bind.is_default then
    update project_role r set is_default = false where r.role = project_bind.role;
  end if;
  insert into project_role (role, project_id, is_default)
  values (project_bind.role, _project_id(project_bind.project), project_bind.is_default)
  on conflict on constraint project_role_pkey do update set is_default = excluded.is_default;
end
$$;
comment on function project_bind(text, name, boolean) is 'Lets a database role work in a project; the role also needs membership in memory_profile_user';

create function project_unbind(project text, role name) returns boolean
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  delete from project_role r where r.role = project_unbind.role and r.project_id = _project_id(project_unbind.project);
  return found;
end
$$;
comment on function project_unbind(text, name) is 'Takes a role''s binding to a project back; true when there was one';

create function project_drop(name text) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  target uuid := _project_id(name);
  subjects bigint;
begin
  if name = 'default' then
    raise invalid_parameter_value using message = 'the default project cannot be dropped';
  end if;
  select count(*) into subjects from subject where project_id = target;
  delete from project where id = target;
  return jsonb_build_object('subjects', subjects);
end
$$;
comment on function project_drop(text) is 'Drops a project with everything in it and returns how many subjects it had';

-- Settings ----------------------------------------------------------------------------------------------------------

create function _default_settings() returns jsonb
language sql immutable parallel safe
as $$
  select '{
    "unknown_fields": "skip",
    "unknown_container": "not_found",
    "profile_limit": 50,
    "text_search_config": "english",
    "inline_embedding_limit": 32,
    "language": "en",
    "summary_interval": 600,
    "notify": true
  }'::jsonb
$$;

-- At most fifty topics, each with a key of its own and a description by which memories are found for it.
create function _check_buckets(buckets jsonb) returns boolean
language sql immutable parallel safe
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select jsonb_typeof(buckets) = 'array' and count(*) <= 50 and count(distinct b ->> 'key') = count(*)
    and coalesce(bool_and(
      jsonb_typeof(b) = 'object' and jsonb_typeof(b -> 'key') = 'string' and jsonb_typeof(b -> 'description') = 'string'
      and b ->> 'key' ~ '^[a-z0-9][a-z0-9_-]{0,63}$' and b ->> 'key' not in ('static', 'dynamic')
      and length(b ->> 'description') between 1 and 2000 and b - 'key' - 'description' = '{}'), true)
  from jsonb_array_elements(case jsonb_typeof(buckets) when 'array' then buckets else '[]' end) b
$$;

-- Whether a value is a whole number, and written as one.
create function _is_whole(value jsonb, lowest integer, highest integer) returns boolean
language sql immutable parallel safe
as $$
  select case when jsonb_typeof(value) = 'number' and value #>> '{}' ~ '^-?[0-9]{1,9}$' then value::integer between lowest and highest else false end
$$;

create function _check_settings(settings jsonb) returns void
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  setting record;
  valid boolean;
begin
  if jsonb_typeof(settings) is distinct from 'object' then
    raise invalid_parameter_value using message = 'settings must be a JSON object';
  end if;
  for setting in select key, value from jsonb_each(settings) where value <> 'null' loop
    valid := case setting.key
      when 'unknown_fields' then setting.value in ('"skip"', '"create"')
      when 'unknown_container' then setting.value in ('"not_found"', '"empty"')
      when 'profile_limit' then _is_whole(setting.value, 1, 1000)
      when 'inline_embedding_limit' then _is_whole(setting.value, 0, 10000)
      when 'extraction_instructions' then jsonb_typeof(setting.value) = 'string' and length(setting.value #>> '{}') <= 2000
      when 'summary_interval' then _is_whole(setting.value, -1, 2592000)
      when 'notify' then setting.value in ('true', 'false')
      when 'text_search_config' then exists (
        select from pg_ts_config c join pg_namespace n on n.oid = c.cfgnamespace
        where setting.value #>> '{}' in (c.cfgname, n.nspname || '.' || c.cfgname))
      when 'keep_forgotten_days' then _is_whole(setting.value, 1, 36500)
      when 'profile_buckets' then _check_buckets(setting.value)
      when 'timezone' then setting.value #>> '{}' in (select z.name from pg_timezone_names z)
      when 'language' then setting.value #>> '{}' = any (_languages())
      when 'scoring' then _check_scoring(setting.value)
    end;
    if valid is null then
      raise invalid_parameter_value using
        message = format('unknown setting "%s"', setting.key),
        hint = 'Settings: unknown_fields, unknown_container, profile_limit, inline_embedding_limit, notify, extraction_instructions, language, timezone, summary_interval, text_search_config, keep_forgotten_days, profile_buckets, scoring.';
    elsif not valid then
      raise invalid_parameter_value using
        message = format('invalid value for setting "%s": %s', setting.key, setting.value),
        hint = format('%s is %s.', setting.key, case setting.key
          when 'unknown_fields' then '"skip" or "create"'
          when 'unknown_container' then '"not_found" or "empty"'
          when 'profile_limit' then 'a whole number from 1 to 1000'
          when 'inline_embedding_limit' then 'a whole number from 0 to 10000'
          when 'extraction_instructions' then 'a text of at most 2000 characters'
          when 'summary_interval' then 'a whole number of seconds up to 2592000, or -1 for none'
          when 'notify' then 'true or false'
          when 'text_search_config' then 'the name of a text search configuration, see \dF'
          when 'keep_forgotten_days' then 'a whole number from 1 to 36500'
          when 'profile_buckets' then 'an array of at most 50 {key, description}, with keys of a-z, 0-9, _ and - that differ, and none static or dynamic'
          when 'timezone' then 'the IANA name of a time zone, such as "Europe/Lisbon"'
          when 'language' then 'one of ' || array_to_string(_languages(), ', ')
          else 'an object of numbers, see docs/search.md'
        end);
    end if;
  end loop;
end
$$;

create function project_setting(name text) returns jsonb
language plpgsql stable parallel safe
as $$
begin
  -- Asked for several times by everything that writes: every name in full, so that it needs no SET clause.
  return coalesce((select p.settings -> project_setting.name from memory_profile.project p where p.id = memory_profile.current_project()),
                  memory_profile._default_settings() -> project_setting.name);
end
$$;
comment on function project_setting(text) is 'A setting of the current project, or its default';

create function project_configure(settings jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  result jsonb;
begin
  perform _check_settings(settings);
  update project p set settings = jsonb_strip_nulls(p.settings || project_configure.settings)
  where p.id = _project()
  returning _default_settings() || p.settings into result;
  return result;
end
$$;
comment on function project_configure(jsonb) is 'Changes settings of the current project (null restores the default) and returns all of them: '
  'unknown_fields skip|create, unknown_container not_found|empty, profile_limit 1..1000, inline_embedding_limit 0..10000, '
  'timezone (an IANA name: whose days are meant where a subject has no time zone), notify true|false, extraction_instructions (what the language model is to see to, at most 2,000 characters), '
  'summary_interval (seconds between two summaries of a profile by the language model, -1 for none), '
  'text_search_config (a text search configuration), keep_forgotten_days (after which forgotten memories are purged), '
  'profile_buckets (topics of the profile: objects with key and description), scoring (weights and calibration of the search, see docs/search.md)';

-- API keys -----------------------------------------------------------------------------------------------------------

create function _key_sha256(key text) returns bytea
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select sha256(convert_to(key, 'UTF8'))
$$;

-- What keys may be made for; those of each route are in sql/70_http.sql.
create function _scopes() returns text[]
language sql immutable parallel safe
as $$
  select '{*,read,write,delete,profiles:read,profiles:write,memories:read,memories:search,memories:write,settings:read,settings:write}'::text[]
$$;

create function api_key_create(
  project text default 'default',
  name text default null,
  scopes text[] default '{*}',
  subjects text[] default null,
  expires_at timestamptz default null
) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key text := 'mp_' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  if not scopes <@ _scopes() then
    raise invalid_parameter_value using
      message = format('unknown scope "%s"', (select s from unnest(scopes) s where s is null or s <> all (_scopes()) limit 1)),
      hint = 'Scopes: ' || array_to_string(_scopes(), ', ') || '.';
  elsif coalesce(cardinality(scopes), 0) = 0 then
    raise invalid_parameter_value using message = 'a key needs a scope', hint = 'Leave scopes out for all of them.';
  end if;
  insert into api_key (project_id, name, key_sha256, prefix, scopes, subjects, expires_at)
  values (_project_id(project), api_key_create.name, _key_sha256(key), left(key, 11), api_key_create.scopes,
          api_key_create.subjects, api_key_create.expires_at);
  return key;
end
$$;
comment on function api_key_create(text, text, text[], text[], timestamptz) is
  'Creates an API key of a project and returns it, the only time that it can be read; '
  'scopes such as profiles:read, profiles:write, read, write, delete or *; subjects limits the key to these external ids';

create function api_key_revoke(prefix_or_key text) returns integer
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  revoked integer;
begin
  update api_key set revoked_at = now()
  where revoked_at is null and (prefix = prefix_or_key or key_sha256 = _key_sha256(prefix_or_key));
  get diagnostics revoked = row_count;
  return revoked;
end
$$;
comment on function api_key_revoke(text) is 'Revokes the keys with this prefix, or this very key, and returns how many';

-- Checks a key and, when it is good, establishes its project and subjects for the transaction. Answers with
-- {"status": "ok" | "invalid" | "revoked" | "expired", "scopes": [...]}.
create function _authenticate(key text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  found_key api_key;
begin
  select * into found_key from api_key where key_sha256 = _key_sha256(key);
  if not found then
    return '{"status": "invalid"}';
  elsif found_key.revoked_at is not null then
    return '{"status": "revoked"}';
  elsif found_key.expires_at <= now() then
    return '{"status": "expired"}';
  end if;
  perform set_config('memory_profile.project', found_key.project_id::text, true);
  perform set_config('memory_profile.subjects', coalesce((
    select string_agg(_subject_key(found_key.project_id, external_id)::text, ',')
    from unnest(found_key.subjects) external_id
  ), case when found_key.subjects is null then '' else '00000000-0000-0000-0000-000000000000' end), true);
  return jsonb_build_object('status', 'ok', 'scopes', found_key.scopes);
end
$$;

-- Row security ---------------------------------------------------------------------------------------------------------

alter table project enable row level security;
create policy project_isolation on project using (id = (select current_project()));
create policy administration on project using (pg_has_role(
  current_user, (select extowner from pg_extension where extname = 'memory_profile'), 'MEMBER'));
