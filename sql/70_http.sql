-- HTTP: one entry function behind PostgREST for all five APIs.
--
-- The proxy turns every request into POST /rpc/request, with the client's method, path and key in headers of its own
-- and the body as raw bytes, so that routing, authentication, validation and every answer, errors included, are
-- decided here, in the transaction of the work itself. See docs/http.md.
--
-- A handler takes the request and returns a response. What goes wrong is raised: the typed errors of _fail() and the
-- ordinary SQLSTATEs of the functions below it are rolled back to before the handler and rendered in the envelope of
-- the API that the path belongs to. Only what nobody foresaw leaves as a 5xx, whose details go to the server's log.

create schema memory_profile_http;
comment on schema memory_profile_http is 'What PostgREST serves';

-- PostgREST's "any media type": the bytes go out as they are, under the Content-Type that the function sets.
create domain memory_profile_http."*/*" as bytea;

create type memory_profile_http.request_data as (
  method text,
  path text,
  -- The captures of the route's pattern, percent-decoded.
  arguments text[],
  query jsonb,
  body bytea,
  content_type text
);

create type memory_profile_http.response as (
  status integer,
  body jsonb,
  headers jsonb
);

-- Every route: where a path matches several patterns, the first wins. Of the scopes any one is enough, and * always is;
-- what reads needs a scope that reads, so that a key for one API cannot do through another what it may not do there.
create function memory_profile_http._routes()
returns table (place integer, method text, pattern text, handler text, api text, scopes text[])
language sql immutable parallel safe
as $$
  values
    (10, 'POST', '^/v4/profile$', 'v4_profile', 'supermemory', '{profiles:read,memories:read,read}'::text[]),
    (10, 'POST', '^/v4/profile/buckets$', 'v4_profile_buckets', 'supermemory', '{profiles:read,memories:read,read}'),
    (11, 'POST', '^/v4/search$', 'v4_search', 'supermemory', '{memories:search,memories:read,read}'),
    (12, 'POST', '^/v4/memories$', 'v4_memories_create', 'supermemory', '{memories:write,write}'),
    (13, 'PATCH', '^/v4/memories$', 'v4_memories_update', 'supermemory', '{memories:write,write}'),
    (14, 'DELETE', '^/v4/memories$', 'v4_memories_forget', 'supermemory', '{memories:write,delete}'),
    (15, 'POST', '^/v4/memories/list$', 'v4_memories_list', 'supermemory', '{memories:read,read}'),
    (16, 'POST', '^/v4/memories/forget-matching$', 'v4_memories_forget_matching', 'supermemory', '{memories:write,delete}'),
    (17, 'POST', '^/v4/conversations$', 'v4_conversations', 'supermemory', '{memories:write,write}'),
    (20, 'POST', '^/v3/documents$', 'v3_documents_add', 'supermemory', '{memories:write,write}'),
    (21, 'POST', '^/v3/documents/batch$', 'v3_documents_batch', 'supermemory', '{memories:write,write}'),
    (21, 'POST', '^/v3/documents/file$', 'v3_documents_file', 'supermemory', '{memories:write,write}'),
    (22, 'POST', '^/v3/documents/list$', 'v3_documents_list', 'supermemory', '{memories:read,read}'),
    (23, 'GET', '^/v3/documents/processing$', 'v3_documents_processing', 'supermemory', '{memories:read,read}'),
    (24, 'DELETE', '^/v3/documents/bulk$', 'v3_documents_bulk', 'supermemory', '{memories:write,delete}'),
    (25, 'GET', '^/v3/documents/([^/]+)/chunks$', 'v3_documents_chunks', 'supermemory', '{memories:read,read}'),
    (26, 'GET', '^/v3/documents/([^/]+)$', 'v3_documents_get', 'supermemory', '{memories:read,read}'),
    (27, 'PATCH', '^/v3/documents/([^/]+)$', 'v3_documents_update', 'supermemory', '{memories:write,write}'),
    (28, 'DELETE', '^/v3/documents/([^/]+)$', 'v3_documents_delete', 'supermemory', '{memories:write,delete}'),
    (29, 'POST', '^/v3/search$', 'v3_search', 'supermemory', '{memories:search,memories:read,read}'),
    (30, 'GET', '^/v3/container-tags/list$', 'v3_container_tags_list', 'supermemory', '{memories:read,read}'),
    (31, 'GET', '^/v3/container-tags/([^/]+)$', 'v3_container_tags_get', 'supermemory', '{memories:read,read}'),
    (32, 'PATCH', '^/v3/container-tags/([^/]+)$', 'v3_container_tags_update', 'supermemory', '{memories:write,write}'),
    (33, 'DELETE', '^/v3/container-tags/([^/]+)$', 'v3_container_tags_delete', 'supermemory', '{delete}'),
    (34, 'GET', '^/v3/settings$', 'v3_settings_get', 'supermemory', '{settings:read,settings:write,read}'),
    (35, 'PATCH', '^/v3/settings$', 'v3_settings_update', 'supermemory', '{settings:write}'),
    (40, 'GET', '^/api/v1/profiles$', 'mnexium_profiles_get', 'mnexium', '{profiles:read,read}'),
    (41, 'PATCH', '^/api/v1/profiles$', 'mnexium_profiles_patch', 'mnexium', '{profiles:write,write}'),
    (42, 'DELETE', '^/api/v1/profiles$', 'mnexium_profiles_delete', 'mnexium', '{profiles:write,delete}'),
    (43, 'GET', '^/api/v1/profiles/schema$', 'mnexium_profiles_schema', 'mnexium', '{profiles:read,read}'),
    (50, 'GET', '^/api/profiles/([^/]+)/export$', 'getprofile_export', 'getprofile', '{profiles:read,read}'),
    (51, 'GET', '^/api/profiles/([^/]+)$', 'getprofile_get', 'getprofile', '{profiles:read,read}'),
    (52, 'DELETE', '^/api/profiles/([^/]+)$', 'getprofile_delete', 'getprofile', '{delete}'),
    (60, 'POST', '^/v1/profile/([^/]+)$', 'getprofile_ai_update', 'getprofile_ai', '{profiles:write,write}'),
    (61, 'GET', '^/v1/profile/([^/]+)$', 'getprofile_ai_get', 'getprofile_ai', '{profiles:read,read}'),
    (62, 'DELETE', '^/v1/profile/([^/]+)$', 'getprofile_ai_delete', 'getprofile_ai', '{delete}')
$$;

-- Which API's manners apply to a path that no route knows.
create function memory_profile_http._api_of(path text) returns text
language sql immutable parallel safe
as $$
  select case
    when path like '/api/v1/%' then 'mnexium'
    when path like '/api/%' then 'getprofile'
    when path like '/v1/%' then 'getprofile_ai'
    else 'supermemory'
  end
$$;

-- Errors -----------------------------------------------------------------------------------------------------------------

-- Ends the request with an error: an HTTP status, the API's machine-readable code, a sentence and, if need be, details.
create function memory_profile_http._fail(status integer, code text, message text, details text default null) returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = 'MP' || status, message = _fail.message, detail = coalesce(details, ''), constraint = code;
end
$$;

-- The status that an error of the SQL functions means; NULL for what nobody foresaw.
create function memory_profile_http._status_of(sqlstate_code text) returns integer
language sql immutable parallel safe
as $$
  select case
    when sqlstate_code ~ '^MP[0-9]{3}$' then substr(sqlstate_code, 3)::integer
    when sqlstate_code in ('P0002') then 404
    when sqlstate_code in ('55000', '23505') then 409
    when sqlstate_code in ('54000') then 413
    when sqlstate_code like '22%' or sqlstate_code in ('23514', '23502') then 400
  end
$$;

create function memory_profile_http._default_code(api text, status integer) returns text
language sql immutable parallel safe
as $$
  select case status
    when 400 then 'invalid_request'
    when 401 then 'unauthorized'
    when 403 then 'forbidden'
    when 404 then 'not_found'
    when 405 then 'method_not_allowed'
    when 409 then 'conflict'
    when 413 then 'payload_too_large'
    else 'error'
  end
$$;

-- An error in the envelope of its API.
create function memory_profile_http._error_body(api text, status integer, code text, message text, details text) returns jsonb
language sql immutable parallel safe
as $$
  select case api
    when 'mnexium' then jsonb_build_object('error', code, 'message', message) || case when details <> '' then jsonb_build_object('details', details) else '{}' end
    when 'getprofile' then jsonb_build_object('error',
      jsonb_build_object('message', message, 'code', code, 'type', case status
        when 401 then 'authentication_error' when 403 then 'permission_error' when 404 then 'not_found_error' else 'invalid_request_error' end)
      || case when details <> '' then jsonb_build_object('details', details) else '{}' end)
    when 'getprofile_ai' then jsonb_build_object('error', status, 'message', concat_ws(': ', message, nullif(details, '')))
    else jsonb_build_object('error', message) || case when details <> '' then jsonb_build_object('details', details) else '{}' end
  end
$$;

-- The request ------------------------------------------------------------------------------------------------------------

-- Decodes percent-encoding; what is not UTF-8 or holds a NUL is a 400.
create function memory_profile_http._percent_decode(encoded text) returns text
language plpgsql immutable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  decoded bytea := ''::bytea;
  part text;
begin
  if encoded !~ '%' then
    return encoded;
  end if;
  for part in select m[1] from regexp_matches(encoded, '(%[0-9a-fA-F]{2}|%|[^%]+)', 'g') m loop
    decoded := decoded || case when part ~ '^%[0-9a-fA-F]{2}$' then decode(substr(part, 2), 'hex') else convert_to(part, 'UTF8') end;
  end loop;
  return convert_from(decoded, 'UTF8');
exception when character_not_in_repertoire or untranslatable_character then
  perform _fail(400, 'invalid_encoding', 'The path or query is not valid UTF-8', encoded);
end
$$;

-- The query string as an object; of a repeated name the last value counts.
create function memory_profile_http._query(query_string text) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
  select coalesce(jsonb_object_agg(_percent_decode(replace(split_part(pair, '=', 1), '+', ' ')),
                                   _percent_decode(replace(substr(pair, strpos(pair || '=', '=') + 1), '+', ' ')) order by place), '{}')
  from unnest(string_to_array(query_string, '&')) with ordinality pairs (pair, place)
  where pair <> ''
$$;

-- The JSON body. Nothing at all counts as {}, as some clients send it; anything but an object is a 400.
create function memory_profile_http._json_body(call memory_profile_http.request_data) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body jsonb;
  cause text;
begin
  begin
    body := coalesce(nullif(btrim(convert_from(call.body, 'UTF8'), E' \t\r\n'), ''), '{}')::jsonb;
  exception when data_exception or program_limit_exceeded then
    -- The detail says what was found and what should stand there.
    get stacked diagnostics cause = pg_exception_detail;
    perform _fail(400, 'invalid_json_body', 'The request body is not valid JSON', coalesce(nullif(cause, ''), sqlerrm));
  end;
  if jsonb_typeof(body) <> 'object' then
    perform _fail(400, 'invalid_json_body', 'The request body must be a JSON object');
  end if;
  return body;
end
$$;

-- The key of a request: x-mnexium-key before a bearer token before x-supermemory-api-key.
create function memory_profile_http._api_key(headers jsonb) returns text
language sql immutable
as $$
  select coalesce(
    nullif(btrim(headers ->> 'x-mnexium-key'), ''),
    nullif(btrim(substring(headers ->> 'x-api-authorization' from '^[Bb][Ee][Aa][Rr][Ee][Rr]\s+(.*)$')), ''),
    nullif(btrim(headers ->> 'x-supermemory-api-key'), ''))
$$;

create function memory_profile_http._require_key(api text, headers jsonb, required_scopes text[]) returns void
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  key text := _api_key(headers);
  verdict jsonb;
begin
  if key is null then
    perform _fail(401, case api when 'getprofile' then 'missing_api_key' else 'unauthorized' end,
                  case api when 'getprofile' then 'Missing or invalid Authorization header' else 'Unauthorized' end,
                  case api when 'supermemory' then 'Send your API key as Authorization: Bearer <key>.' end);
  end if;
  verdict := _authenticate(key);
  if verdict ->> 'status' <> 'ok' then
    perform _fail(401,
      case api
        when 'getprofile' then 'invalid_api_key'
        when 'mnexium' then case verdict ->> 'status' when 'revoked' then 'token_revoked' when 'expired' then 'token_expired' else 'unauthorized' end
        else 'unauthorized'
      end,
      case api when 'getprofile' then 'Invalid API key' else 'Unauthorized' end,
      case api when 'supermemory' then 'The API key is ' || case verdict ->> 'status' when 'invalid' then 'not known.' else verdict ->> 'status' || '.' end end);
  end if;
  if required_scopes is not null and not (verdict -> 'scopes') ?| (required_scopes || '*'::text) then
    perform _fail(403, 'forbidden', 'The API key lacks the scope ' || required_scopes[1]);
  end if;
end
$$;

-- PostgREST calls this and nothing else.
create function memory_profile_http.request(bytea) returns memory_profile_http."*/*"
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  headers jsonb := coalesce(current_setting('request.headers', true), '{}')::jsonb;
  uri text := coalesce(headers ->> 'x-original-uri', '/');
  -- Some clients and proxies add a slash to the end of what they are given.
  path text := regexp_replace(split_part(uri, '?', 1), '(.)/$', '\1');
  verb text := case headers ->> 'x-original-method' when 'HEAD' then 'GET' else headers ->> 'x-original-method' end;
  route record;
  allowed text;
  call request_data;
  answer response;
  message text;
  detail text;
  code text;
begin
  begin
    select r.* into route from _routes() r where r.method = verb and path ~ r.pattern order by r.place limit 1;
    if route.handler is null then
      select string_agg(r.method, ', ' order by r.place) into allowed from _routes() r where path ~ r.pattern;
      if allowed is null then
        perform _fail(404, 'not_found', 'Not found', format('There is no %s %s here.', verb, path));
      else
        perform _fail(405, 'method_not_allowed', 'Method not allowed', format('%s takes %s.', path, allowed));
      end if;
    end if;
    perform _require_key(route.api, headers, route.scopes);
    call.method := verb;
    call.path := path;
    call.arguments := array(select _percent_decode(a) from unnest(regexp_match(path, route.pattern)) a);
    call.query := _query(nullif(substr(uri, strpos(uri || '?', '?') + 1), ''));
    call.body := $1;
    call.content_type := headers ->> 'x-original-content-type';
    answer := _dispatch(route.handler, call);
  exception
    when query_canceled then
      raise sqlstate 'PT504' using message = 'timed out';
    when serialization_failure or deadlock_detected or lock_not_available then
      raise sqlstate 'PT503' using message = 'try again';
    when others then
      get stacked diagnostics message = message_text, detail = pg_exception_detail, code = constraint_name;
      answer.status := _status_of(sqlstate);
      if answer.status is null then
        raise log 'memory_profile: request % failed: % (%)', headers ->> 'x-request-id', sqlerrm, sqlstate;
        raise sqlstate 'PT500' using message = 'internal error';
      end if;
      if sqlstate not like 'MP%' then
        message := upper(left(message, 1)) || substr(message, 2);
      end if;
      answer.body := _error_body(coalesce(route.api, _api_of(path || '/')), answer.status,
        case when sqlstate like 'MP%' then code else _default_code(route.api, answer.status) end, message, detail);
      answer.headers := case answer.status
        when 401 then '[{"WWW-Authenticate": "Bearer"}]'
        when 405 then jsonb_build_array(jsonb_build_object('Allow', allowed))
        -- The SDKs retry a 409 twice unless they are told that it is final.
        when 409 then '[{"x-should-retry": "false"}]'
        -- The proxy answers a body that is too large for itself in the same place, and takes the text from here.
        when 413 then jsonb_build_array(jsonb_build_object('X-Error-Body', regexp_replace(answer.body::text, '[^ -~]', '?', 'g')))
        else '[]'
      end;
  end;
  perform set_config('response.status', coalesce(answer.status, 200)::text, true);
  perform set_config('response.headers', ('[{"Content-Type": "application/json"}]'::jsonb || coalesce(answer.headers, '[]'))::text, true);
  return case when answer.body is null then ''::bytea else convert_to(answer.body::text, 'UTF8') end;
end
$$;
comment on function memory_profile_http.request(bytea) is 'The entry of every HTTP request; see docs/http.md';
