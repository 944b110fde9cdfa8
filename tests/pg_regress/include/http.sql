-- Sends requests to the entry function as the proxy and PostgREST do: method, path and key in request.headers, the body
-- as bytes, under the role of the APIs.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on

create function pg_temp.answer(verb text, uri text, content text, key_headers jsonb, out status text, out body text, out headers jsonb)
language plpgsql
as $$
begin
  perform set_config('request.headers', (key_headers || jsonb_build_object('x-original-method', verb, 'x-original-uri', uri))::text, true),
          set_config('response.status', '', true), set_config('response.headers', '', true);
  set local role memory_profile_http;
  body := convert_from(memory_profile_http.request(convert_to(coalesce(content, ''), 'UTF8')), 'UTF8');
  reset role;
  status := current_setting('response.status');
  headers := current_setting('response.headers');
end
$$;

-- The key of a test: kept in a table of the session, since a new one is made in every run.
create temporary table test_key (name text primary key, key text);

create function pg_temp.key(name text) returns jsonb
language sql
as $$
  select coalesce((select jsonb_build_object('x-api-authorization', 'Bearer ' || k.key) from test_key k where k.name = key.name), '{}')
$$;

-- The answer as JSON.
create function pg_temp.json(verb text, uri text, body text default null, key_name text default 'all') returns jsonb
language sql
as $$
  select nullif(a.body, '')::jsonb from pg_temp.answer(verb, uri, body, pg_temp.key(key_name)) a
$$;

-- What changes from run to run becomes a sign.
create function pg_temp.masked(content text) returns text
language sql
as $$
  select regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(content,
    '(mem|doc)_[0-9A-Za-z]{22}', '\1_*', 'g'),
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '<uuid>', 'g'),
    '20\d\d-\d\d-\d\dT[0-9:.]+Z', '<time>', 'g'),
    '"timing": [0-9.]+', '"timing": *', 'g'),
    '"(similarity|score)": [0-9.]+', '"\1": *', 'g')
$$;

-- Status and masked body.
create function pg_temp.http(verb text, uri text, body text default null, key_name text default 'all') returns text
language sql
as $$
  select concat_ws(' ', a.status, nullif(pg_temp.masked(a.body), '')) from pg_temp.answer(verb, uri, body, pg_temp.key(key_name)) a
$$;
