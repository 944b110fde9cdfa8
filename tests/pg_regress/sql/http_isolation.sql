-- A key sees its own project, and of that the subjects that it is limited to, on every route.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_a') is not null as a, memory_profile.project_create('http_b') is not null as b;
insert into test_key values ('a', memory_profile.api_key_create('http_a')), ('b', memory_profile.api_key_create('http_b'));
insert into test_key values ('limited', memory_profile.api_key_create('http_a', subjects => '{ada, "space here"}')), ('barred', memory_profile.api_key_create('http_a', subjects => '{}'));

-- project A knows ada and eve, project B knows ada only
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "ada", "memories": [{"content": "A: Ada keeps bees"}, {"content": "A: Ada sells honey"}]}', 'a');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "eve", "memories": [{"content": "A: Eve keeps bees"}]}', 'a');
select pg_temp.http('POST', '/v3/documents', '{"containerTag": "eve", "content": "A: a paper about bees", "customId": "paper"}', 'a');
select pg_temp.http('POST', '/v3/documents', '{"containerTag": "ada", "content": "A: a letter about bees", "customId": "letter"}', 'a');
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "ada", "updates": [{"field_key": "name", "value": "Ada of A"}]}', 'a');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "ada", "memories": [{"content": "B: Ada keeps wasps"}]}', 'b');
call memory_profile.run_jobs();
select id as foreign_memory from memory_profile.memory where content = 'A: Ada keeps bees' \gset
select id as foreign_document from memory_profile.document where custom_id = 'letter' \gset
select subject_key as foreign_profile from memory_profile.subject s join memory_profile.project p on p.id = s.project_id where p.name = 'http_a' and external_id = 'ada' \gset
begin;
select memory_profile.use_project('http_a', true);
select memory_profile.memory_relate('ada', (select id from memory_profile.memory where content = 'A: Ada sells honey'), :'foreign_memory', 'extends');
commit;

-- every route that reads, with B's key: nothing of A
create temporary view reads as
select * from (values
  (1, 'POST', '/v4/profile', '{"containerTag": "ada", "q": "bees", "threshold": 0}'), (2, 'POST', '/v4/profile', '{"containerTag": "eve"}'),
  (3, 'POST', '/v4/search', '{"q": "bees", "threshold": 0, "searchMode": "hybrid", "include": {"relatedMemories": true, "documents": true, "summaries": true, "chunks": true, "forgottenMemories": true}}'),
  (4, 'POST', '/v4/search', '{"q": "bees", "threshold": 0, "containerTag": "eve"}'), (5, 'POST', '/v4/search', '{"q": "honey", "threshold": 0, "containerTags": ["ada", "eve"], "include": {"relatedMemories": true}}'),
  (6, 'POST', '/v4/memories/list', '{"containerTags": ["ada", "eve"]}'), (7, 'POST', '/v3/search', '{"q": "bees"}'), (8, 'POST', '/v3/documents/list', '{}'),
  (9, 'GET', '/v3/documents/processing?view=all', null), (10, 'GET', '/v3/documents/paper', null), (11, 'GET', '/v3/documents/letter', null), (12, 'GET', '/v3/documents/letter/chunks', null),
  (13, 'GET', '/v3/container-tags/list', null), (14, 'GET', '/v3/container-tags/eve', null), (15, 'GET', '/api/v1/profiles?subject_id=ada&format=full', null), (16, 'GET', '/api/profiles/ada', null),
  (17, 'GET', '/api/profiles/ada/export', null), (18, 'GET', '/api/profiles/eve/export', null), (19, 'GET', '/v1/profile/ada', null), (20, 'GET', '/v1/profile/eve', null),
  (21, 'POST', '/v4/memories/forget-matching', '{"containerTag": "ada", "query": "bees", "threshold": 0, "dryRun": true}')
) r (place, verb, uri, body);
create function pg_temp.seen(key_name text) returns table (place integer, request text, status text, tells_of_a boolean)
language sql as $$
  select r.place, r.verb || ' ' || r.uri, a.status, a.body ~ 'A: |Ada of A|paper|letter|"eve"|Eve'
  from reads r cross join lateral pg_temp.answer(r.verb, r.uri, r.body, pg_temp.key(key_name)) a
  order by r.place
$$;
select * from pg_temp.seen('a');
-- what a refusal repeats of the request does not count as seen
select place, request, status, tells_of_a and status like '2%' as tells_of_a from pg_temp.seen('b');
select pg_temp.http('GET', '/api/profiles/' || :'foreign_profile' || '/export', null, 'b');
select pg_temp.http('GET', '/v1/profile/' || :'foreign_profile', null, 'b');
select pg_temp.http('GET', '/v3/documents/' || :'foreign_document', null, 'b');

-- and every route that writes leaves A alone
create temporary view a_rows as
select (select md5(string_agg(m::text, '' order by m.id)) from memory_profile.memory m where m.project_id = p.id) as memories,
       (select md5(string_agg(d::text, '' order by d.id)) from memory_profile.document d where d.project_id = p.id) as documents,
       (select md5(string_agg(s::text, '' order by s.external_id)) from memory_profile.subject s where s.project_id = p.id) as subjects,
       (select count(*) from memory_profile.memory_relation r where r.project_id = p.id) as relations
from memory_profile.project p where p.name = 'http_a';
create temporary table before_b as select * from a_rows;
select pg_temp.http('PATCH', '/v4/memories', format('{"containerTag": "ada", "id": "%s", "newContent": "B was here"}', :'foreign_memory'), 'b');
select pg_temp.http('DELETE', '/v4/memories', format('{"containerTag": "ada", "id": "%s"}', :'foreign_memory'), 'b');
select pg_temp.http('POST', '/v4/memories/forget-matching', format('{"containerTag": "ada", "ids": ["%s"]}', :'foreign_memory'), 'b');
select pg_temp.http('PATCH', '/v3/documents/' || :'foreign_document', '{"content": "B was here"}', 'b');
select pg_temp.http('DELETE', '/v3/documents/' || :'foreign_document', null, 'b');
select pg_temp.http('DELETE', '/v3/documents/bulk', format('{"ids": ["%s", "paper"]}', :'foreign_document'), 'b');
select pg_temp.http('DELETE', '/v3/documents/bulk', '{"containerTags": ["ada", "eve"]}', 'b');
select pg_temp.http('DELETE', '/v3/container-tags/eve', null, 'b');
select pg_temp.http('DELETE', '/api/v1/profiles?subject_id=ada&field_key=name', null, 'b');
select pg_temp.http('DELETE', '/api/profiles/' || :'foreign_profile', null, 'b');
select pg_temp.http('DELETE', '/v1/profile/eve', null, 'b');
select pg_temp.http('DELETE', '/api/profiles/ada', null, 'b');
select before_b = a_rows as untouched from before_b, a_rows;

-- a key that is limited to subjects: 403 where it names another, silence where it names none
select place, request, status, tells_of_a and status like '2%' as tells_of_a from pg_temp.seen('limited') where request ~ 'eve' or place in (2, 4, 5, 6, 14);
select t.tag ->> 'containerTag' as tag from jsonb_array_elements(pg_temp.json('GET', '/v3/container-tags/list', null, 'limited')) t (tag);
select r ->> 'memory' as memory, r ->> 'chunk' as chunk from jsonb_array_elements(pg_temp.json('POST', '/v4/search', '{"q": "bees", "threshold": 0, "searchMode": "hybrid"}', 'limited') -> 'results') r order by 1, 2;
select pg_temp.http('GET', '/v3/documents/paper', null, 'limited');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "eve"}', 'limited');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "eve", "memories": [{"content": "x"}]}', 'limited');
select pg_temp.http('POST', '/v3/documents', '{"content": "x"}', 'limited');
select pg_temp.http('POST', '/v3/documents/batch', '{"documents": [{"content": "x", "containerTag": "eve"}]}', 'limited');
select pg_temp.http('POST', '/v4/conversations', '{"conversationId": "c", "containerTag": "eve", "messages": [{"role": "user", "content": "x"}]}', 'limited');
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "eve", "updates": [{"field_key": "name", "value": "x"}]}', 'limited');
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "space here", "updates": [{"field_key": "name", "value": "x"}]}', 'limited');
select pg_temp.http('DELETE', '/api/v1/profiles?subject_id=eve&field_key=name', null, 'limited');
select pg_temp.http('GET', '/api/profiles/eve/export', null, 'limited');
select pg_temp.http('GET', '/api/profiles/550e8400-e29b-41d4-a716-446655440000', null, 'limited');
select pg_temp.json('GET', '/api/profiles/' || :'foreign_profile', null, 'limited') #>> '{profile,externalId}' as own;
select pg_temp.http('POST', '/v1/profile/eve', '{"data": "x"}', 'limited');
select pg_temp.http('DELETE', '/v1/profile/eve', null, 'limited');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=ada', null, 'limited');
select pg_temp.http('GET', '/api/v1/profiles?subject_id=ada', null, 'barred');
select pg_temp.http('POST', '/v4/search', '{"q": "bees", "threshold": 0}', 'barred');

-- without a request there is no project, and the role of the APIs sees nothing
set role memory_profile_http;
select count(*) from memory_profile.memory;
select count(*) from memory_profile.project;
select count(*) from memory_profile.api_key;
select memory_profile_http._search(null, 'bees', 0, null, 10) -> 'total' as found;
set memory_profile.project = '00000000-0000-4000-8000-000000000001';
reset role;

select memory_profile.project_drop('http_a'), memory_profile.project_drop('http_b');
