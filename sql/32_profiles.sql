-- Profiles: typed fields that a project defines, each stated by one current memory of kind profile_field.

create table profile_schema (
  project_id uuid not null references project on delete cascade,
  version integer not null check (version >= 1),
  extraction_mode text not null default 'auto' check (extraction_mode in ('auto', 'manual')),
  fields jsonb not null check (jsonb_typeof(fields) = 'array'),
  created_at timestamptz not null default now(),
  primary key (project_id, version)
);
comment on table profile_schema is 'Versions of each project''s profile schema; the newest is the active one';
comment on column profile_schema.fields is 'Custom fields: objects with key, type, required and, optionally, label, description, enum_values, pattern';

alter table profile_schema enable row level security;
alter table profile_schema force row level security;
create policy project_isolation on profile_schema using (project_id = (select current_project()));

create function _system_fields() returns jsonb
language sql immutable parallel safe
as $$
  select '[
    {"key": "name", "type": "text", "required": true, "label": "name", "description": "User''s full name"},
    {"key": "email", "type": "email", "required": false, "label": "email address", "description": "Email address"},
    {"key": "timezone", "type": "timezone", "required": false, "label": "time zone", "description": "User''s time zone (IANA name)"},
    {"key": "language", "type": "text", "required": false, "label": "preferred language", "description": "Preferred language"}
  ]'::jsonb
$$;

create function profile_schema_get() returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  active profile_schema;
begin
  select * into active from profile_schema where project_id = _project() order by version desc limit 1;
  return jsonb_build_object(
    'version', coalesce(active.version, 1),
    'extraction_mode', coalesce(active.extraction_mode, 'auto'),
    'fields', _system_fields() || coalesce(active.fields, '[]'));
end
$$;
comment on function profile_schema_get() is 'The active profile schema of the project: version, extraction_mode and fields, system and custom';

create function profile_schema_set(fields jsonb, extraction_mode text default 'auto') returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project uuid := _project();
begin
  fields := _check_profile_fields(fields, _system_fields());
  if extraction_mode not in ('auto', 'manual') then
    raise invalid_parameter_value using
      message = format('invalid extraction_mode "%s"', extraction_mode),
      hint = 'auto lets extraction write fields, manual leaves them to the API.';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('memory_profile.profile_schema ' || project, 0));
  insert into profile_schema (project_id, version, extraction_mode, fields)
  select project, coalesce(max(s.version), 1) + 1, profile_schema_set.extraction_mode, profile_schema_set.fields
  from profile_schema s where s.project_id = project;
  return profile_schema_get();
end
$$;
comment on function profile_schema_set(jsonb, text) is
  'Defines the project''s custom profile fields, as a new version of its schema: an array of objects with key, type '
  '(text, email, timezone, number, boolean, date, url, phone, select, array), required, label, description, enum_values for select, pattern';

create function _profile_field_spec(field_key text) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select field from jsonb_array_elements(profile_schema_get() -> 'fields') field where field ->> 'key' = field_key
$$;

-- Reading ----------------------------------------------------------------------------------------------------------------

create function _profile_value(m memory, format text) returns jsonb
language sql stable parallel safe
as $$
  select case when format = 'full' then
    jsonb_build_object('value', m.field_value, 'confidence', m.confidence::numeric, 'source_type', m.source_type,
                       'updated_at', memory_profile._iso(m.updated_at), 'memory_id', m.id)
    else m.field_value end
$$;

-- The hottest read there is. The plan is an index scan whatever the subject, so it is made once: left to itself, the
-- plan cache plans anew each time, because it estimates an average subject to be larger than this one.
create function profile_get(subject text, format text default 'simple', as_of timestamptz default null) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  key uuid := subject_key(subject);
begin
  if format not in ('simple', 'full') then
    raise invalid_parameter_value using
      message = pg_catalog.format('unknown format "%s" of a profile', profile_get.format),
      hint = 'Formats: simple, full.';
  end if;
  if as_of is null then
    return (
      select coalesce(jsonb_object_agg(m.field_key, _profile_value(m, profile_get.format)), '{}')
      from memory m
      where m.subject_key = key and m.field_key is not null and m.superseded_at is null and m.forgotten_at is null
    );
  end if;
  return (
    select coalesce(jsonb_object_agg(m.field_key, _profile_value(m, profile_get.format)), '{}')
    from memory m
    where m.subject_key = key and m.field_key is not null and m.created_at <= as_of
      and (m.superseded_at is null or m.superseded_at > as_of) and (m.forgotten_at is null or m.forgotten_at > as_of)
  );
end
$$;
comment on function profile_get(text, text, timestamptz) is
  'The profile of a subject: key and value, or with format full value, confidence, source_type, updated_at and memory_id; '
  'as_of gives the profile as it was known at that moment';

-- Writing ----------------------------------------------------------------------------------------------------------------

-- Writes one field under the subject's lock by the supersede rule: a manual value beats everything, a manual value is
-- beaten by nothing else, and otherwise the value that is at least as sure wins. The reason says why a value was not
-- written and is NULL when it was.
create function _profile_field_write(
  key uuid, spec jsonb, field text, new_value jsonb, new_confidence double precision, new_source text,
  job uuid default null, out reason text, out memory_id text, out value jsonb)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  valid_value jsonb := _check_field_value(spec, new_value);
  known memory;
  new memory;
begin
  if valid_value is null then
    reason := 'invalid_value';
    return;
  end if;
  select * into known from memory
  where subject_key = key and field_key = field and superseded_at is null and forgotten_at is null;
  -- What is learned once more is reinforced. A caller who states a value again gets a version of it.
  if job is not null and known.field_value = valid_value and new_confidence::real <= known.confidence then
    perform _memory_reinforce(known, jsonb_build_object('job_id', job), 'stated again');
    memory_id := known.id;
    value := valid_value;
    return;
  end if;
  new.subject_key := key;
  new.kind := 'profile_field';
  new.field_key := field;
  new.field_value := valid_value;
  new.content := _field_sentence(coalesce(spec ->> 'label', replace(field, '_', ' ')), valid_value);
  new.is_static := true;
  new.confidence := new_confidence;
  new.source_type := new_source;
  new.job_id := job;
  reason := _supersede_reason(known.source_type, known.confidence, new_source, new_confidence);
  if reason is not null then
    perform _decide(known, 'rejected', reason, null, new.content, jsonb_build_object('memory', jsonb_strip_nulls(to_jsonb(new))), job);
    perform _emit(key, 'profile.rejected', jsonb_build_object('field_key', field, 'reason', reason,
      'value', valid_value, 'confidence', new_confidence, 'source_type', new_source));
    return;
  end if;
  new := _memory_insert(new, known, true, _supersede_why(known, new));
  memory_id := new.id;
  value := valid_value;
end
$$;

create function profile_patch(subject text, updates jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid;
  item jsonb;
  spec jsonb;
  source record;
  written record;
  results jsonb := '[]';
  changed jsonb := '{}';
begin
  perform _check_profile_updates(updates);
  key := _subject_for_write(subject);
  for item in select value from jsonb_array_elements(updates) loop
    written := null;
    spec := _profile_field_spec(item ->> 'field_key');
    if spec is null and project_setting('unknown_fields') = '"create"' and item ->> 'field_key' ~ '^[a-zA-Z0-9_.-]{1,64}$' then
      spec := jsonb_build_object('type', 'any');
    end if;
    select * into source from _patch_source(item -> 'confidence');
    if spec is null then
      select 'unknown_field' as reason into written;
    elsif source.source_type is null then
      select 'invalid_confidence' as reason into written;
    else
      select * into written from _profile_field_write(key, spec, item ->> 'field_key', item -> 'value', source.confidence, source.source_type);
    end if;
    results := results || jsonb_strip_nulls(jsonb_build_object('field_key', item ->> 'field_key',
      'created', written.reason is null, 'skipped', written.reason is not null, 'reason', written.reason));
    if written.reason is null then
      changed := changed || jsonb_build_object(item ->> 'field_key', written.value);
    end if;
  end loop;
  if changed <> '{}' then
    perform _emit(key, 'profile.updated', jsonb_build_object('subject_id', subject, 'fields', changed, 'updated_at', _iso(now())));
  end if;
  return results;
end
$$;
comment on function profile_patch(text, jsonb) is
  'Updates profile fields of a subject, all or nothing: an array of {field_key, value, confidence}. Confidence 1.0 is a manual edit and beats any value; '
  'without one it is 0.95. Returns {field_key, created, skipped} for each, with a reason where it was skipped: unknown_field, invalid_value, '
  'invalid_confidence, lower_confidence or manual_value_exists';

-- Ends a field without a new value, and says so to whoever listens.
create function _profile_field_close(known memory, decision text, reason text, other_id text default null) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _memory_close(known, decision, reason, other_id);
  perform _emit(known.subject_key, 'profile.updated', jsonb_build_object(
    'subject_id', (select s.external_id from subject s where s.subject_key = known.subject_key),
    'fields', jsonb_build_object(known.field_key, null), 'updated_at', _iso(now())));
end
$$;

create function profile_delete(subject text, field_key text, reason text default null) returns boolean
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
  known memory;
begin
  select * into known from memory m
  where m.subject_key = key and m.field_key = profile_delete.field_key and m.superseded_at is null and m.forgotten_at is null;
  if not found then
    return false;
  end if;
  perform _profile_field_close(known, 'forgotten', coalesce(profile_delete.reason, 'profile field deleted'));
  return true;
end
$$;
comment on function profile_delete(text, text, text) is
  'Deletes a profile field: its memory is forgotten softly and no earlier value comes back. False when there was none';

-- What is known of a subject as plain sentences: static, the lasting facts, oldest first and edited fields before all
-- else; dynamic, the rest, newest first. Each text appears once. What people said of other things is no part of it.
create function profile_memories(subject text, filters jsonb default null)
returns table (section text, id text, memory text, kind text, metadata jsonb, updated_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := subject_key(subject);
  per_section integer := (project_setting('profile_limit') #>> '{}')::integer;
begin
  perform _check_filters(filters);
  return query
  with visible as (
    select distinct on (btrim(m.content)) m.*
    from memory m
    where m.subject_key = key and m.superseded_at is null and m.forgotten_at is null and not m.aside
      and (m.field_key is not null or m.forget_after is null or m.forget_after > now())
      and (filters is null or m.id in (select matching.id from _memories_matching(array[key], filters) matching))
    order by btrim(m.content), m.is_static desc, m.created_at, m.id
  ), ranked as (
    select v.*, row_number() over (
      partition by v.is_static
      order by case when v.is_static then v.source_type <> 'manual' end,
               case when v.is_static then v.created_at end,
               case when not v.is_static then v.created_at end desc,
               case when v.is_static then v.id end, v.id desc) as position
    from visible v
  )
  select case when r.is_static then 'static' else 'dynamic' end, r.id, r.content, r.kind, r.metadata, r.updated_at
  from ranked r
  where r.position <= per_section
  order by r.is_static desc, r.position;
end
$$;
comment on function profile_memories(text, jsonb) is
  'What is known of a subject as sentences: section static (lasting facts, oldest first) and dynamic (the rest, newest first)';
