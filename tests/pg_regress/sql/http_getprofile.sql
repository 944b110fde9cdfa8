-- The routes of GetProfile: the export, the profile, and its erasure.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_getprofile') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_getprofile'));
insert into test_key values ('reader', memory_profile.api_key_create('http_getprofile', scopes => '{profiles:read}'));

-- keys
select pg_temp.http('GET', '/api/profiles/user-123/export', null, 'nobody');
insert into test_key values ('unknown', 'gp_unknown');
select pg_temp.http('GET', '/api/profiles/user-123/export', null, 'unknown');
select pg_temp.http('DELETE', '/api/profiles/user-123', null, 'reader');

-- no such profile, whatever the id looks like; reading creates none
select pg_temp.http('GET', '/api/profiles/' || id || '/export') from (values ('user-123'), ('550e8400-e29b-41d4-a716-446655440000'), ('550e8400'), ('%27%3B--'), ('a%2Fb')) i (id);
select pg_temp.http('GET', '/api/profiles/%20/export');
select pg_temp.http('GET', '/api/profiles/user-123');
select pg_temp.http('DELETE', '/api/profiles/user-123');
select pg_temp.http('GET', '/api/profiles');
select pg_temp.http('POST', '/api/profiles/user-123/export');
select pg_temp.json('GET', '/v3/container-tags/list');

-- what an export holds
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user-123", "updates": [{"field_key": "name", "value": "Alex", "confidence": 0.95}, {"field_key": "language", "value": "English", "confidence": 1.0}]}');
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "user-123", "updates": [{"field_key": "name", "value": "Alexandra", "confidence": 1.0}]}');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "user-123", "memories": [{"content": "Working on microservices migration"}, {"content": "Was born in Leeds"}]}');
select pg_temp.http('DELETE', '/v4/memories', '{"containerTag": "user-123", "content": "Was born in Leeds"}');
select pg_temp.http('POST', '/v4/conversations', '{"conversationId": "c1", "containerTag": "user-123", "messages": [{"role": "user", "content": "Hello!"}]}');
call memory_profile.run_jobs();
select jsonb_pretty(pg_temp.masked(pg_temp.json('GET', '/api/profiles/user-123/export?include=active')::text)::jsonb);
select key, jsonb_array_length(value) as items from jsonb_each(pg_temp.json('GET', '/api/profiles/user-123/export') -> 'history') order by key;
select h ->> 'content' as content, h ? 'supersededAt' as superseded, h ? 'forgottenAt' as forgotten
from jsonb_array_elements(pg_temp.json('GET', '/api/profiles/user-123/export') #> '{history,memories}') h order by 1;
select pg_temp.http('GET', '/api/profiles/user-123/export?include=everything');

-- by the internal id too
select pg_temp.json('GET', '/api/profiles/user-123') #>> '{profile,id}' as id \gset
select pg_temp.json('GET', '/api/profiles/' || :'id' || '/export') #>> '{profile,externalId}' as external_id;
select pg_temp.json('GET', '/api/profiles/' || upper(:'id')) #>> '{profile,externalId}' as external_id;
select key, case jsonb_typeof(value) when 'array' then jsonb_array_length(value) end as items from jsonb_each(pg_temp.json('GET', '/api/profiles/user-123')) order by key;

-- every field of the documented answer is there
select count(*) = 5 as complete from jsonb_object_keys(pg_temp.json('GET', '/api/profiles/user-123/export?include=active')) key
where key in ('profile', 'traits', 'memories', 'messages', 'exportedAt');

-- an export imports
begin;
select memory_profile.use_project('http_getprofile', true);
select pg_temp.json('GET', '/api/profiles/user-123/export') as export \gset
select pg_temp.http('DELETE', '/api/profiles/user-123');
select memory_profile.profile_import(:'export');
select (pg_temp.json('GET', '/api/profiles/user-123/export') - 'exportedAt') = (:'export'::jsonb - 'exportedAt') as same;
rollback;

-- erased
select pg_temp.http('DELETE', '/api/profiles/' || :'id');
select pg_temp.http('GET', '/api/profiles/user-123/export');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=user-123');

select memory_profile.project_drop('http_getprofile');
