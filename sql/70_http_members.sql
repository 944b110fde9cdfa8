-- Members of request bodies: each is taken out by a small function that checks it and, where it is wrong, ends the
-- request with a 400 that names its path. Null counts as absent, as one of the SDKs writes out what was not given;
-- where an API gives null a meaning, the handler looks at the body itself.

create function memory_profile_http._member(body jsonb, name text) returns jsonb
language sql immutable parallel safe
as $$
  select nullif(body -> name, 'null')
$$;

-- Ends the request because of the member at `path`.
create function memory_profile_http._invalid(path text, problem text, code text default 'invalid_request', details text default null) returns void
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  perform _fail(400, code, path || ' ' || problem, details);
end
$$;

-- A string. A required one must hold something to be seen. `place` is where the body stands in the request, such as
-- "include." or "memories[3].".
create function memory_profile_http._string_member(
  body jsonb, name text, required boolean default false, max_length integer default null, place text default '') returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  value constant jsonb := _member(body, name);
  content constant text := value #>> '{}';
begin
  if required and value is null then
    perform _invalid(place || name, 'is required', name || '_required');
  elsif jsonb_typeof(value) <> 'string' then
    perform _invalid(place || name, 'must be a string');
  elsif required and _is_blank(content) then
    perform _invalid(place || name, 'must not be empty', name || '_required');
  elsif length(content) > max_length then
    perform _invalid(place || name, format('must have at most %s characters, this has %s', max_length, length(content)));
  end if;
  return content;
end
$$;

-- One of a few strings.
create function memory_profile_http._choice_member(body jsonb, name text, choices text[], fallback text default null, place text default '') returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  choice constant text := coalesce(_string_member(body, name, place => place), fallback);
begin
  if choice <> all (choices) then
    perform _invalid(place || name, 'must be one of ' || array_to_string(choices, ', '));
  end if;
  return choice;
end
$$;

create function memory_profile_http._number_member(
  body jsonb, name text, lowest double precision, highest double precision, fallback double precision default null) returns double precision
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  value constant jsonb := _member(body, name);
begin
  if value is null then
    return fallback;
  elsif jsonb_typeof(value) <> 'number' or value::numeric not between lowest::numeric and highest::numeric then
    perform _invalid(name, format('must be a number from %s to %s', lowest, highest));
  end if;
  return value::double precision;
end
$$;

-- A whole number; with `or_text` also one written as a string, as some clients send page numbers.
create function memory_profile_http._integer_member(
  body jsonb, name text, lowest integer, highest integer, fallback integer default null, or_text boolean default false) returns integer
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  value constant jsonb := _member(body, name);
  number numeric;
begin
  if value is null then
    return fallback;
  elsif jsonb_typeof(value) = 'number' then
    number := value::numeric;
  elsif or_text and value #>> '{}' ~ '^[0-9]{1,9}$' then
    number := (value #>> '{}')::numeric;
  end if;
  if number is null or number <> trunc(number) or number not between lowest and highest then
    perform _invalid(name, format('must be a whole number from %s to %s', lowest, highest));
  end if;
  return number;
end
$$;

create function memory_profile_http._boolean_member(body jsonb, name text, place text default '') returns boolean
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  value constant jsonb := _member(body, name);
begin
  if jsonb_typeof(value) <> 'boolean' then
    perform _invalid(place || name, 'must be true or false');
  end if;
  return coalesce(value::boolean, false);
end
$$;

create function memory_profile_http._object_member(body jsonb, name text, place text default '') returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  value constant jsonb := _member(body, name);
begin
  if jsonb_typeof(value) <> 'object' then
    perform _invalid(place || name, 'must be an object');
  end if;
  return value;
end
$$;

-- An array of `lowest` to `highest` elements; NULL when it is absent and need not be there.
create function memory_profile_http._array_member(
  body jsonb, name text, lowest integer default 0, highest integer default null, required boolean default false, place text default '') returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  value constant jsonb := _member(body, name);
begin
  if value is null then
    if required then
      perform _invalid(place || name, 'is required', name || '_required');
    end if;
    return null;
  elsif jsonb_typeof(value) <> 'array' then
    perform _invalid(place || name, 'must be an array', case when required then name || '_required' else 'invalid_request' end);
  elsif jsonb_array_length(value) < lowest or jsonb_array_length(value) > highest then
    perform _invalid(place || name, format('must have %s elements, this has %s',
      case when highest is null then 'at least ' || lowest else lowest || ' to ' || highest end, jsonb_array_length(value)));
  end if;
  return value;
end
$$;

-- The vector of the question, where the caller has embedded it.
create function memory_profile_http._embedding_member(body jsonb) returns real[]
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  items constant jsonb := _array_member(body, 'embedding', 1, 16000);
begin
  if items is null then
    return null;
  elsif exists (select from jsonb_array_elements(items) item where jsonb_typeof(item) <> 'number' or abs(item::numeric) > 1e30) then
    perform _invalid('embedding', 'must be an array of numbers');
  end if;
  return array(select value::real from jsonb_array_elements_text(items) with ordinality item (value, place) order by place);
end
$$;

-- An array of strings, if need be from a few choices.
create function memory_profile_http._strings_member(
  body jsonb, name text, choices text[] default null, lowest integer default 0, highest integer default null, place text default '') returns text[]
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  items constant jsonb := _array_member(body, name, lowest, highest, place => place);
  wrong bigint;
begin
  if items is null then
    return null;
  end if;
  select ordinality - 1 into wrong
  from jsonb_array_elements(items) with ordinality item (value, ordinality)
  where jsonb_typeof(value) <> 'string' or value #>> '{}' <> all (choices)
  order by ordinality limit 1;
  if wrong is not null then
    perform _invalid(format('%s%s[%s]', place, name, wrong),
                     case when choices is null then 'must be a string' else 'must be one of ' || array_to_string(choices, ', ') end);
  end if;
  return array(select jsonb_array_elements_text(items));
end
$$;

-- A date or point in time in ISO 8601.
create function memory_profile_http._timestamp_member(body jsonb, name text, place text default '') returns timestamptz
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  content constant text := _string_member(body, name, place => place);
  moment constant timestamptz := case when content is not null then _timestamp_or_null(content) end;
begin
  if content is not null and moment is null then
    perform _invalid(place || name, 'must be a date or time in ISO 8601, such as 2026-01-31T09:30:00Z');
  end if;
  return moment;
end
$$;

-- Metadata: a flat object.
create function memory_profile_http._metadata_member(body jsonb, place text default '') returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  metadata constant jsonb := _object_member(body, 'metadata', place);
  cause text;
begin
  return case when metadata is not null then _check_metadata(metadata) end;
exception when invalid_parameter_value then
  get stacked diagnostics cause = pg_exception_detail;
  perform _fail(400, 'invalid_metadata', 'Invalid metadata', place || case when cause like 'metadata%' then cause else 'metadata: ' || cause end);
end
$$;

-- Filters, an object or the same as a JSON string.
create function memory_profile_http._filters_member(body jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  filters constant jsonb := _member(body, 'filters');
begin
  perform _check_filters(filters);
  return filters;
end
$$;

-- Subjects -----------------------------------------------------------------------------------------------------------

-- A key may be limited to some subjects. Row security by itself would show the others as unknown; whoever names one is
-- told that the key does not reach it.
create function memory_profile_http._require_access(subject text) returns void
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  if subject_key(subject) <> all (_session_subjects()) then
    perform _fail(403, 'forbidden', 'Forbidden', format('The API key is limited to other subjects than "%s".', subject));
  end if;
end
$$;

-- A container tag, checked and accessible.
create function memory_profile_http._checked_tag(path text, tag text) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  wrong constant text := substring(tag from '[^a-zA-Z0-9_:.-]');
begin
  if tag = '' then
    perform _invalid(path, 'must not be empty');
  elsif wrong is not null then
    perform _invalid(path, format('must hold letters a-z, digits, underscores, colons, dots and hyphens only, not %s', to_json(wrong)));
  elsif length(tag) > 100 then
    perform _invalid(path, format('must have at most 100 characters, this has %s', length(tag)));
  end if;
  perform _require_access(tag);
  return tag;
end
$$;

-- The containers of a request in their order: containerTag, or containerTags; NULL when it names none.
create function memory_profile_http._container_tags(body jsonb, place text default '') returns text[]
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  tag constant text := _string_member(body, 'containerTag', place => place);
  tags constant text[] := _strings_member(body, 'containerTags', place => place);
begin
  if tags = '{}' then
    -- No filter would show everything to a caller whose list of containers came out empty.
    perform _invalid(place || 'containerTags', 'must not be empty: leave it out to mean every container');
  elsif tag is not null and tags is not null then
    perform _invalid(place || 'containerTags', 'must not be given together with containerTag');
  elsif tag is not null then
    return array[_checked_tag(place || 'containerTag', tag)];
  end if;
  return (select array_agg(_checked_tag(format('%scontainerTags[%s]', place, named.first - 1), named.tag) order by named.first)
          from (select t.tag, min(t.ordinality) as first from unnest(tags) with ordinality t (tag, ordinality) group by t.tag) named);
end
$$;

-- The one container of a request.
create function memory_profile_http._container_tag(body jsonb, fallback text default null, place text default '') returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  -- Where one is named by default, or must be, none is none.
  tags text[] := _container_tags(case body -> 'containerTags' when '[]' then body - 'containerTags' else body end, place);
begin
  if tags is null and fallback is not null then
    tags := array[_checked_tag(place || 'containerTag', fallback)];
  elsif tags is null then
    perform _invalid(place || 'containerTag', 'is required', 'containerTag_required');
  elsif cardinality(tags) > 1 then
    perform _invalid(place || 'containerTags', 'must have one element here');
  end if;
  return tags[1];
end
$$;

-- The subject that a path or query names, trimmed and accessible.
create function memory_profile_http._named_subject(name text) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  subject constant text := _check_subject(name);
begin
  perform _require_access(subject);
  return subject;
end
$$;

-- The key of the profile that {id} names by its UUID or its external id; NULL when there is none.
create function memory_profile_http._named_profile(id text) returns uuid
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  name constant text := _check_subject(id);
  key constant uuid := _subject_by_id(name);
begin
  if key is null and coalesce(_uuid_or_null(name) <> all (_session_subjects()), true) then
    perform _require_access(name);
  end if;
  return key;
end
$$;
