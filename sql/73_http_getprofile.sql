-- GetProfile: a profile as a whole. {id} is the profile's UUID or its external id; reading never creates one.

create function memory_profile_http._profile_or_404(call memory_profile_http.request_data) returns memory_profile.subject
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  key constant uuid := _named_profile(call.arguments[1]);
  profile subject;
begin
  select * into profile from subject s where s.subject_key = key;
  if profile.subject_key is null then
    perform _fail(404, 'profile_not_found', 'Profile not found');
  end if;
  return profile;
end
$$;

-- ?include=active leaves out what is superseded, forgotten or but a source.
create function memory_profile_http.getprofile_export(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  profile constant subject := _profile_or_404(call);
  include constant text := nullif(call.query ->> 'include', '');
  answer response;
begin
  if include not in ('active', 'history') then
    perform _invalid('include', 'must be active or history', 'invalid_include');
  end if;
  answer.body := profile_export(profile.subject_key::text, include is distinct from 'active');
  return answer;
end
$$;

create function memory_profile_http.getprofile_get(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  profile constant subject := _profile_or_404(call);
  answer response;
begin
  answer.body := jsonb_build_object(
    'profile', _profile_json(profile),
    'traits', (select coalesce(jsonb_agg(_trait_json(m) order by m.field_key), '[]') from memory m
               where m.subject_key = profile.subject_key and m.field_key is not null and m.superseded_at is null and m.forgotten_at is null),
    'recentMemories', (select coalesce(jsonb_agg(_memory_json(recent) order by recent.created_at desc, recent.id desc), '[]')
                       from (select m.* from memory m
                             where m.subject_key = profile.subject_key and m.field_key is null and _is_current(m)
                             order by m.created_at desc, m.id desc limit 10) recent));
  return answer;
end
$$;

create function memory_profile_http.getprofile_delete(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  profile constant subject := _profile_or_404(call);
  answer response;
begin
  answer.body := jsonb_build_object('success', true, 'deleted', profile_erase(profile.subject_key::text) - 'erased');
  return answer;
end
$$;
