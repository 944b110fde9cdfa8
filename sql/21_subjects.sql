-- Subjects: the users that an application knows something about. containerTag, subject_id, externalId and {id} of the
-- five APIs all name a subject. Its key is the UUID v5 of project and external id, so that any node can compute it
-- without a look-up, and it leads every key of every per-subject table.

create table subject (
  subject_key uuid primary key,
  project_id uuid not null references project on delete cascade,
  external_id text not null,
  name text,
  entity_context text check (length(entity_context) <= 1500),
  summary text,
  summary_version integer not null default 0,
  summary_updated_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (subject_key, project_id),
  -- Nobody can take the key that a subject of another project will have.
  check (subject_key = _subject_key(project_id, external_id))
);
create index subject_external_id on subject (project_id, external_id);
comment on table subject is 'Users (containers, profiles) of a project';
comment on column subject.subject_key is 'UUID v5 of the project''s id and the external id';

-- Puts a per-subject table under the project's wall: rows of the current project only, and of the subjects that the
-- session's key is limited to, for reading and writing alike, also for the table's owner.
create function _isolate(target regclass) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format(
    'create policy project_isolation on %s using (project_id = (select memory_profile.current_project())'
    ' and ((select memory_profile._session_subjects()) is null'
    ' or subject_key = any ((select memory_profile._session_subjects())::uuid[])))', target);
end
$$;

select _isolate('subject');

-- The key of a subject in the current project, whether or not it exists yet.
create function subject_key(subject text) returns uuid
language plpgsql stable parallel safe
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return _subject_key(_project(), _check_subject(subject));
end
$$;
comment on function subject_key(text) is 'The key of a subject in the current project, whether or not it exists';

create function subject_exists(subject text) returns boolean
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(subject);
begin
  return exists (select from subject s where s.subject_key = key);
end
$$;
comment on function subject_exists(text) is 'Whether a subject is known to the current project';

-- Creates the subject if need be and locks its row: writers of one subject take turns, in whatever order they touch
-- its fields, so that the rules below see a settled state and cannot deadlock.
create function _subject_for_write(subject text) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project uuid := _project();
  external text := _check_subject(subject);
  key uuid := _subject_key(project, external);
begin
  -- A subject that is erased while this waits for its lock is made anew: without a row there is no lock.
  loop
    perform from subject s where s.subject_key = key for update;
    exit when found;
    insert into subject (subject_key, project_id, external_id) values (key, project, external)
    on conflict do nothing;
  end loop;
  return key;
end
$$;

-- Locks the subject's row and returns its key, or NULL where there is no such subject. Whoever writes about a subject
-- that must be there works with this key: without the row there is no lock, and what another session creates meanwhile
-- must not be touched either.
create function _subject_locked(subject text) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(subject);
  locked uuid;
begin
  select s.subject_key into locked from subject s where s.subject_key = key for update;
  return locked;
end
$$;

-- The key that {id} of the GetProfile APIs means: the subject's own UUID, or else its external id.
create function _subject_by_id(id text) returns uuid
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project uuid := _project();
  key uuid;
begin
  if id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then
    select s.subject_key into key from subject s where s.subject_key = id::uuid and s.project_id = project;
  end if;
  if key is null then
    select s.subject_key into key from subject s where s.subject_key = _subject_key(project, btrim(id));
  end if;
  return key;
end
$$;

-- Timestamps of every API: UTC with milliseconds and a Z.
create function _iso(moment timestamptz) returns text
language sql stable parallel safe
as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- A point in time as the clock showed it that is so many seconds ahead of UTC; in UTC where that is not known.
create function _iso(moment timestamptz, utc_offset integer) returns text
language sql stable parallel safe
as $$
  select case when utc_offset is null then memory_profile._iso(moment) else
    to_char((moment at time zone 'UTC') + make_interval(secs => utc_offset), 'YYYY-MM-DD"T"HH24:MI:SS.MS')
    || case when utc_offset < 0 then '-' else '+' end || to_char(make_interval(secs => abs(utc_offset)), 'HH24:MI') end
$$;
