-- Mnexium: profile fields of a subject. Errors are codes; a field that cannot be written is a skipped result, not an
-- error, so that one bad field does not undo the others.

-- subject_id of a query or body.
create function memory_profile_http._subject_id(members jsonb) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  subject_id constant jsonb := members -> 'subject_id';
begin
  if jsonb_typeof(subject_id) is distinct from 'string' or btrim(subject_id #>> '{}') = '' then
    perform _fail(400, 'subject_id_required', 'subject_id is required and must be a string');
  end if;
  return _named_subject(subject_id #>> '{}');
end
$$;

create function memory_profile_http.mnexium_profiles_get(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  answer response;
begin
  answer.body := jsonb_build_object('data', profile_get(_subject_id(call.query),
    case call.query ->> 'format' when 'full' then 'full' else 'simple' end));
  return answer;
end
$$;

create function memory_profile_http.mnexium_profiles_patch(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  subject_id constant text := _subject_id(body);
  updates constant jsonb := body -> 'updates';
  wrong bigint;
  answer response;
begin
  if jsonb_typeof(updates) is distinct from 'array' then
    perform _fail(400, 'updates_required', 'updates is required and must be an array');
  end if;
  -- An explicit null is a value, although never a valid one.
  select ordinality - 1 into wrong
  from jsonb_array_elements(updates) with ordinality u (item, ordinality)
  where jsonb_typeof(item) <> 'object' or jsonb_typeof(item -> 'field_key') is distinct from 'string'
     or btrim(item ->> 'field_key') = '' or not item ? 'value'
  order by ordinality limit 1;
  if wrong is not null then
    perform _fail(400, 'invalid_update', format('updates[%s] must be an object with field_key and value', wrong));
  end if;
  answer.body := jsonb_build_object('data', jsonb_build_object('results',
    case when updates = '[]' then '[]' else profile_patch(subject_id, updates) end));
  return answer;
end
$$;

create function memory_profile_http.mnexium_profiles_delete(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  subject_id constant text := _subject_id(call.query);
  field_key constant text := btrim(call.query ->> 'field_key');
  answer response;
begin
  if coalesce(field_key, '') = '' then
    perform _fail(400, 'field_key_required', 'field_key is required');
  end if;
  answer.body := jsonb_build_object('data', jsonb_build_object('deleted', profile_delete(subject_id, field_key), 'field_key', field_key));
  return answer;
end
$$;

create function memory_profile_http.mnexium_profiles_schema(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  answer response;
begin
  answer.body := jsonb_build_object('data', profile_schema_get());
  return answer;
end
$$;
