-- Supermemory: documents that are sent as files, and the settings of a project.

-- The fields of a form as the members of a body: metadata and lists are JSON inside their fields.
create function memory_profile_http._form_body(fields jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body jsonb := fields - 'metadata' - 'containerTags';
  name text;
begin
  if fields ->> 'containerTags' !~ '^\s*\[' then
    -- One tag, as the older clients send it.
    body := jsonb_build_object('containerTag', fields -> 'containerTags') || body;
    fields := fields - 'containerTags';
  end if;
  foreach name in array '{metadata,containerTags}'::text[] loop
    continue when coalesce(fields ->> name, '') = '';
    begin
      body := body || jsonb_build_object(name, (fields ->> name)::jsonb);
    exception when data_exception then
      perform _invalid(name, 'must be JSON');
    end;
  end loop;
  return body;
end
$$;

create function memory_profile_http.v3_documents_file(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  form constant jsonb := _upload(call.content_type, call.body);
  file constant jsonb := form -> 'file';
  answer response;
begin
  if jsonb_typeof(file) <> 'object' then
    perform _invalid('file', 'is required: a part of the form with a file name', 'file_required');
  elsif file ->> 'text' is null then
    perform _fail(415, 'unsupported_media_type', 'Unsupported file type',
      format('"%s"%s cannot be read: text, Markdown, HTML, JSON and CSV can, in UTF-8.', file ->> 'name', ' of type ' || (file ->> 'media_type')));
  end if;
  -- What kind of text it is decides how it is read; data have no title of their own.
  answer.body := _document_write(_form_body(form -> 'fields') || jsonb_build_object('content', file -> 'text'), type => file ->> 'type');
  update document d
  set title = left(nullif(btrim(file ->> 'name'), ''), 120)
  where file ->> 'type' in ('json', 'csv') and d.project_id = current_project() and d.id = answer.body ->> 'id';
  return answer;
end
$$;

-- What Supermemory calls settings, as far as there is something behind them.
create function memory_profile_http._settings() returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  return jsonb_build_object(
    'shouldLLMFilter', project_setting('extraction_instructions') is not null,
    'filterPrompt', project_setting('extraction_instructions'),
    'includeItems', '[]'::jsonb, 'excludeItems', '[]'::jsonb, 'chunkSize', null,
    'profileBuckets', coalesce(project_setting('profile_buckets'), '[]'));
end
$$;

create function memory_profile_http.v3_settings_get(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  answer response;
begin
  answer.body := _settings();
  return answer;
end
$$;

-- What is named is changed, null clears; what nothing is behind is refused, unless it changes nothing.
create function memory_profile_http.v3_settings_update(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  settings jsonb := '{}';
  member record;
  answer response;
begin
  if _session_subjects() is not null then
    perform _fail(403, 'forbidden', 'Forbidden', 'The API key is limited to some subjects, and settings are those of the whole project.');
  end if;
  for member in select key, value from jsonb_each(body) loop
    case
      when member.key = 'filterPrompt' then
        perform _string_member(body, 'filterPrompt', max_length => 2000);
        settings := settings || jsonb_build_object('extraction_instructions', member.value);
      when member.key = 'shouldLLMFilter' then
        perform _boolean_member(body, 'shouldLLMFilter');
        if member.value = 'false' and not body ? 'filterPrompt' then
          settings := settings || '{"extraction_instructions": null}';
        end if;
      when member.key = 'profileBuckets' then
        if member.value <> 'null' and not _check_buckets(member.value) then
          perform _invalid('profileBuckets', 'must be an array of at most 50 {key, description}, with keys of a-z, 0-9, _ and - that differ, and none static or dynamic');
        end if;
        settings := settings || jsonb_build_object('profile_buckets', member.value);
      when member.value not in ('null', '[]', '{}', 'false', '""') then
        perform _invalid(member.key, 'is not supported: filterPrompt, shouldLLMFilter and profileBuckets are');
      else
        null;
    end case;
  end loop;
  perform project_configure(settings);
  answer.body := jsonb_build_object(
    'orgId', current_project(), 'orgSlug', (select p.name from project p where p.id = current_project()),
    'updated', (select coalesce(jsonb_object_agg(s.key, s.value), '{}') from jsonb_each(_settings()) s where body ? s.key));
  return answer;
end
$$;
