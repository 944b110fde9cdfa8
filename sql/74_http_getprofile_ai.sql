-- GetProfile-AI: data goes in, a profile comes out. The data is accepted in this transaction and learned from after it.

create function memory_profile_http.getprofile_ai_update(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  id constant text := _named_subject(call.arguments[1]);
  body constant jsonb := _json_body(call);
  data constant jsonb := _member(body, 'data');
  input_type constant text := _string_member(body, 'input_type');
  answer response;
begin
  if data is null or btrim(data #>> '{}', E' \t\r\n') = '' then
    perform _invalid('data', 'is required');
  elsif jsonb_typeof(data) not in ('string', 'object', 'array') then
    perform _invalid('data', 'must be a string, an object or an array');
  end if;
  perform learn(id, data #>> '{}', input_type);
  answer.body := jsonb_build_object('id', id, 'profile_id', id, 'message', 'accepted');
  return answer;
end
$$;

-- What is known, in the shape that this API documents, as far as it is known: fields and memories with how sure they
-- are, and when what was learned. Both shapes that clients read are there, the flat one and the same under "profile".
create function memory_profile_http.getprofile_ai_get(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  id constant text := _check_subject(call.arguments[1]);
  key constant uuid := _named_profile(id);
  profile subject;
  facts jsonb;
  progress jsonb;
  answer response;
begin
  select * into profile from subject s where s.subject_key = key;
  if profile.subject_key is null then
    perform _fail(404, 'profile_not_found', 'Profile not found');
  end if;
  facts := jsonb_build_object(
    'profile_id', id,
    'status', case when exists (select from job j where j.subject_key = profile.subject_key and j.status in ('queued', 'running'))
              then 'processing' else 'ready' end,
    'summary', _summary(profile.subject_key),
    'core_info', (select coalesce(jsonb_object_agg(m.field_key, jsonb_build_object('value', m.field_value, 'confidence', m.confidence::numeric)), '{}')
                  from memory m
                  where m.subject_key = profile.subject_key and m.field_key is not null and m.superseded_at is null and m.forgotten_at is null),
    'field_timestamps', (select coalesce(jsonb_object_agg(m.field_key, _iso(m.updated_at)), '{}') from memory m
                         where m.subject_key = profile.subject_key and m.field_key is not null and m.superseded_at is null
                           and m.forgotten_at is null),
    'memories', (select coalesce(jsonb_agg(jsonb_build_object(
                          'event', m.content, 'date', _iso(coalesce(m.event_date, m.created_at)), 'confidence', m.confidence::numeric,
                          'importance', case when m.importance < 0.4 then 'low' when m.importance < 0.7 then 'medium' else 'high' end)
                        order by m.created_at, m.id), '[]')
                 from memory m
                 where m.subject_key = profile.subject_key and m.field_key is null and _is_current(m)),
    'update_log', (select coalesce(jsonb_agg(jsonb_build_object('extracted_on', _iso(j.finished_at),
                            'changes', jsonb_build_object('fields', j.result -> 'fields', 'memories', jsonb_array_length(j.result -> 'memories')))
                          order by j.sequence), '[]')
                   from job j
                   where j.subject_key = profile.subject_key and j.status = 'done' and j.result ? 'fields'),
    'created_at', _iso(profile.created_at), 'last_updated', _iso(profile.updated_at));
  -- This API has no status for it, but what was given up must show.
  progress := profile_status(profile.external_id);
  if progress ->> 'status' = 'failed' then
    facts := facts || jsonb_build_object('error', progress -> 'error');
  end if;
  answer.body := facts || jsonb_build_object('profile', facts);
  return answer;
end
$$;

create function memory_profile_http.getprofile_ai_delete(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  id constant text := _check_subject(call.arguments[1]);
  key constant uuid := _named_profile(id);
  answer response;
begin
  if key is null then
    perform _fail(404, 'profile_not_found', 'Profile not found');
  end if;
  perform profile_erase(key::text);
  answer.body := jsonb_build_object('message', 'Profile deleted successfully', 'profile_id', id);
  return answer;
end
$$;
