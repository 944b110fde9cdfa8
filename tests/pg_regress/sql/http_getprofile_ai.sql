-- The routes of GetProfile-AI: data is accepted at once, and learned from after commit.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_getprofile_ai') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_getprofile_ai'));

select pg_temp.http('POST', '/v1/profile/tomas', '{"data": "My name is Tomas Silva."}', 'nobody');
select pg_temp.http('GET', '/v1/profile/tomas');

-- refused
select pg_temp.http('POST', '/v1/profile/tomas', body) from (values (''), ('{'), ('{}'), ('{"data": null}'), ('{"data": " "}'), ('{"data": 5}'), ('{"data": true}'), ('{"data": "x", "input_type": 5}'),
  (format('{"data": "%s"}', repeat('x', 1100000)))) b (body);
select pg_temp.http('POST', '/v1/profile/%20', '{"data": "x"}');
select pg_temp.http('PUT', '/v1/profile/tomas');
select pg_temp.http('GET', '/v1/profile/tomas');

-- accepted: the job is there, the data goes when it is done
select pg_temp.http('POST', '/v1/profile/tomas', '{"data": "My name is Tomas Silva. My email is tomas@example.com.", "input_type": "character description"}');
select pg_temp.json('GET', '/v1/profile/tomas') ->> 'status' as status;
select kind, status, input_type, payload is not null as kept, payload_bytes from memory_profile.job j join memory_profile.project p on p.id = j.project_id where p.name = 'http_getprofile_ai';
call memory_profile.run_jobs();
select kind, status, payload is not null as kept, payload_bytes from memory_profile.job j join memory_profile.project p on p.id = j.project_id where p.name = 'http_getprofile_ai';
select key, value from jsonb_each(pg_temp.json('GET', '/v1/profile/tomas') -> 'core_info') order by key;
select p ->> 'status' as status, p ->> 'profile_id' as id, p -> 'profile' ->> 'status' as nested, jsonb_array_length(p -> 'update_log') as updates from pg_temp.json('GET', '/v1/profile/tomas') p;
-- seen through the other APIs
select pg_temp.http('GET', '/api/v1/profiles?subject_id=tomas');
select pg_temp.json('POST', '/v4/profile', '{"containerTag": "tomas"}') #> '{profile,static}' as static;

-- objects and arrays are accepted as they are
select pg_temp.http('POST', '/v1/profile/tomas', '{"data": {"timezone": "Europe/Lisbon"}, "input_type": null}');
select pg_temp.http('POST', '/v1/profile/tomas', '{"data": [{"role": "user", "content": "I speak Portuguese."}]}');
call memory_profile.run_jobs();
select pg_temp.http('GET', '/api/v1/profiles?subject_id=tomas');

-- what was given up shows, and why
select pg_temp.http('POST', '/v1/profile/lost', '{"data": "My name is Lost."}');
update memory_profile.job set status = 'failed', error = 'nothing was understood' where payload = 'My name is Lost.';
select p ->> 'status' as status, p ->> 'error' as error from pg_temp.json('GET', '/v1/profile/lost') p;
select pg_temp.http('DELETE', '/v1/profile/lost');

-- any id
select pg_temp.http('POST', '/v1/profile/a%2Fb%20%C3%A9', '{"data": "My name is Bea Cruz."}');
select pg_temp.http('DELETE', '/v1/profile/a%2Fb%20%C3%A9');
select pg_temp.http('DELETE', '/v1/profile/a%2Fb%20%C3%A9');
select pg_temp.http('DELETE', '/v1/profile/tomas');
select pg_temp.http('GET', '/v1/profile/tomas');

select memory_profile.project_drop('http_getprofile_ai');
