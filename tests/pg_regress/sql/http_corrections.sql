-- Refusals and replacements that clients meet: lists of containers that are empty, texts that are too large, pages sent as
-- strings, titles that were drawn from what is replaced.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_corrections') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_corrections'));
select memory_profile.use_project('http_corrections');
select memory_profile.memory_add('ida', 'Ida lives in Rome') is not null as added;

-- an empty list of containers shows nothing of anybody; where one has a default, it is as good as none
select pg_temp.http('POST', '/v4/search', '{"q": "Rome", "containerTags": []}');
select pg_temp.http('POST', '/v3/search', '{"q": "Rome", "containerTags": []}');
select pg_temp.http('POST', '/v3/documents/list', '{"containerTags": []}');
select pg_temp.http('POST', '/v4/memories/list', '{"containerTags": []}');
select pg_temp.http('DELETE', '/v3/documents/bulk', '{"containerTags": []}');
select pg_temp.http('POST', '/v4/profile', '{"containerTags": []}');
select pg_temp.http('POST', '/v3/documents', '{"content": "A note.", "containerTags": []}');
select pg_temp.http('POST', '/v3/documents', '{"content": "A note.", "containerTag": "ida", "containerTags": []}');
select jsonb_array_length(pg_temp.json('POST', '/v4/search', '{"q": "Rome", "threshold": 0}') -> 'results') as everywhere;

-- too large: the body goes along in a header, which the proxy shows
select a.status, a.body, a.headers
from pg_temp.answer('POST', '/v1/profile/ida', jsonb_build_object('data', repeat('x', 1048577))::text, pg_temp.key('all')) a;

-- a page, and what replaces it
select pg_temp.http('POST', '/v3/documents', '{"containerTag": "ida", "customId": "page", "content": "<html><body><h1>Ida</h1><p>Lives in <i>Rome</i></p></body></html>"}');
call memory_profile.run_jobs();
select pg_temp.json('GET', '/v3/documents/page') ->> 'content' as content, pg_temp.json('GET', '/v3/documents/page') ->> 'title' as title;
select pg_temp.http('POST', '/v3/documents', '{"containerTag": "ida", "customId": "page", "content": "# Ida Lind\n\nLives in Oslo."}');
call memory_profile.run_jobs();
select pg_temp.json('GET', '/v3/documents/page') ->> 'title' as title;
select pg_temp.http('PATCH', '/v3/documents/page', '{"content": "<h2>Ida Berg</h2><p>Lives in Bern</p>"}');
call memory_profile.run_jobs();
select pg_temp.json('GET', '/v3/documents/page') ->> 'content' as content, pg_temp.json('GET', '/v3/documents/page') ->> 'title' as title;
select pg_temp.http('PATCH', '/v3/documents/page', '{"content": "<html></html>"}');
select pg_temp.http('PATCH', '/v3/documents/page', '{"metadata": {"a": 1}}');
select pg_temp.json('GET', '/v3/documents/page') ->> 'title' as title;

select (memory_profile.project_drop('http_corrections') ->> 'subjects')::int > 0 as dropped;
