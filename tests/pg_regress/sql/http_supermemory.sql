-- The routes of Supermemory, their defaults, ranges and refusals.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_supermemory') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_supermemory'));
insert into test_key values ('reader', memory_profile.api_key_create('http_supermemory', scopes => '{memories:read}'));

-- keys: none, unknown, revoked, expired, in each of the headers, without the scope
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}', 'nobody');
insert into test_key values ('unknown', 'mp_unknown');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}', 'unknown');
insert into test_key values ('expired', memory_profile.api_key_create('http_supermemory', expires_at => now() - interval '1 day'));
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}', 'expired');
insert into test_key values ('revoked', memory_profile.api_key_create('http_supermemory'));
select memory_profile.api_key_revoke(key) from test_key where name = 'revoked';
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}', 'revoked');
select a.status, a.headers from pg_temp.answer('POST', '/v4/profile', '{}', '{}') a;
select header, (pg_temp.answer('POST', '/v4/search', '{"q": "x"}', jsonb_build_object(header, prefix || key))).status
from test_key, (values ('x-api-authorization', 'Bearer '), ('x-api-authorization', 'bearer   '), ('x-mnexium-key', ''), ('x-supermemory-api-key', ''),
                       ('x-api-authorization', '')) h (header, prefix)
where name = 'all';
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}', 'reader');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "ada", "memories": [{"content": "x"}]}', 'reader');
select pg_temp.http('DELETE', '/v3/container-tags/ada', null, 'reader');

-- paths and methods
select pg_temp.http('GET', '/v4/profile');
select a.headers from pg_temp.answer('PUT', '/v3/documents/x', null, pg_temp.key('all')) a;
select pg_temp.http('GET', '/');
select pg_temp.http('POST', '/v4/profile/');
select pg_temp.http('GET', '/v3/documents/%ff');
select pg_temp.http('GET', '/v3/documents/x?y=%00');
select pg_temp.http('HEAD', '/v3/container-tags/list');

-- bodies
select pg_temp.http('POST', '/v4/profile', '');
select pg_temp.http('POST', '/v4/profile', '{"containerTag"');
select pg_temp.http('POST', '/v4/profile', '["ada"]');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "a\u0000b"}');

-- a container that nothing was stored for
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}');
select pg_temp.http('POST', '/v4/search', '{"containerTag": "ada", "q": "tea"}');
select pg_temp.http('POST', '/v4/memories/list', '{"containerTags": ["ada"]}');
begin;
update memory_profile.project set settings = '{"unknown_container": "empty"}' where name = 'http_supermemory';
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "q": "tea"}');
rollback;

-- writing memories
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "ada", "memories": [
  {"content": "Ada is a mathematician", "isStatic": true, "metadata": {"topic": "work", "rank": 1}},
  {"content": "Ada prefers green tea", "isStatic": true, "metadata": null},
  {"content": "Ada is debugging the analytical engine", "metadata": {"topic": "work", "rank": 2}},
  {"content": "Ada travels to Turin", "forgetAfter": "2099-01-01T00:00:00Z", "forgetReason": "the journey is over",
   "temporalContext": {"documentDate": "2026-01-01", "eventDate": ["2026-02-03"]}}]}');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "ada", "memories": [{"content": "Ada prefers green tea"}]}');
select count(*) from memory_profile.memory m join memory_profile.subject s using (subject_key) where s.external_id = 'ada';
-- what is wrong is named, and nothing is written
select pg_temp.http('POST', '/v4/memories', body) from (values
  ('{"memories": [{"content": "x"}]}'), ('{"containerTag": "bad tag", "memories": [{"content": "x"}]}'), ('{"containerTag": "", "memories": [{"content": "x"}]}'),
  ('{"containerTag": 7, "memories": [{"content": "x"}]}'), (format('{"containerTag": "%s", "memories": [{"content": "x"}]}', repeat('x', 101))),
  ('{"containerTag": "ada"}'), ('{"containerTag": "ada", "memories": []}'), ('{"containerTag": "ada", "memories": {}}'),
  ('{"containerTag": "ada", "memories": ["x"]}'), ('{"containerTag": "ada", "memories": [{"content": "kept out"}, {"content": " "}]}'),
  ('{"containerTag": "ada", "memories": [{"content": "kept out"}, {}]}'), ('{"containerTag": "ada", "memories": [{"content": 1}]}'),
  (format('{"containerTag": "ada", "memories": [{"content": "%s"}]}', repeat('x', 10001))),
  ('{"containerTag": "ada", "memories": [{"content": "x", "isStatic": "yes"}]}'),
  ('{"containerTag": "ada", "memories": [{"content": "x", "metadata": {"a": {"b": 1}}}]}'),
  ('{"containerTag": "ada", "memories": [{"content": "x", "metadata": {"a": null}}]}'),
  ('{"containerTag": "ada", "memories": [{"content": "x", "metadata": []}]}'),
  ('{"containerTag": "ada", "memories": [{"content": "x", "forgetAfter": "tomorrow"}]}'),
  ('{"containerTag": "ada", "memories": [{"content": "x", "temporalContext": {"eventDate": ["2026-01-01", "soon"]}}]}')
) b (body);
select count(*) from memory_profile.memory m join memory_profile.subject s using (subject_key) where s.external_id = 'ada';

-- the profile
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "q": null, "include": ["dynamic"]}');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "include": ["buckets", "static"], "buckets": ["x"]}');
select memory_profile.use_project('http_supermemory');
select memory_profile.project_configure('{"profile_buckets": [{"key": "drinks", "description": "what she likes to drink"}, {"key": "x", "description": "sports"}]}') ? 'profile_buckets' as topics;
select pg_temp.http('POST', '/v4/profile/buckets', '{"containerTag": "ada"}');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "include": ["buckets"]}');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "buckets": ["x"]}');
select memory_profile.project_configure('{"profile_buckets": null}') ? 'profile_buckets' as topics;
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "include": []}');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada", "filters": {"AND": [{"key": "topic", "value": "work"}]}}');
select pg_temp.json('POST', '/v4/profile', '{"containerTag": "ada", "q": "Which tea does she like?", "threshold": 0}') #>> '{searchResults,results,0,memory}';
select pg_temp.http('POST', '/v4/profile', body) from (values
  ('{"containerTag": "ada", "q": 1}'), ('{"containerTag": "ada", "threshold": 1.1}'), ('{"containerTag": "ada", "threshold": "0.5"}'),
  ('{"containerTag": "ada", "include": ["all"]}'), ('{"containerTag": "ada", "include": "static"}'),
  ('{"containerTag": "ada", "filters": {"key": "topic", "value": "work"}}'), ('{"containerTag": "ada", "filters": {"AND": [{"key": "to pic", "value": "x"}]}}'),
  ('{"containerTag": "ada", "containerTags": ["ada"]}'), ('{"containerTags": ["ada", "bob"]}')
) b (body);
-- profile and search answer alike
select (pg_temp.json('POST', '/v4/profile', '{"containerTag": "ada", "q": "tea", "threshold": 0}') #> '{searchResults,results}')
     = (pg_temp.json('POST', '/v4/search', '{"containerTag": "ada", "q": "tea", "threshold": 0}') -> 'results') as same;

-- search
select pg_temp.http('POST', '/v4/search', '{"q": "green tea", "containerTag": "ada", "threshold": 0, "limit": 1}');
select pg_temp.http('POST', '/v4/search', '{"q": "green tea", "containerTags": ["ada"], "threshold": 0, "limit": 1, "rerank": true, "rewriteQuery": true}');
select jsonb_array_length(pg_temp.json('POST', '/v4/search', '{"q": "Ada", "threshold": 0, "filters": "{\"AND\": [{\"key\": \"rank\", \"value\": \"1\", \"filterType\": \"numeric\", \"numericOperator\": \">\"}]}"}') -> 'results') as found;
select pg_temp.json('POST', '/v4/search', '{"q": "Ada", "threshold": 0, "filters": {"AND": [{"key": "nonesuch", "value": "x"}]}}') -> 'total' as found;
select pg_temp.http('POST', '/v4/search', body) from (values
  ('{}'), ('{"q": ""}'), ('{"q": null}'), ('{"q": 5}'), ('{"q": "x", "limit": 0}'), ('{"q": "x", "limit": 101}'), ('{"q": "x", "limit": 2.5}'), ('{"q": "x", "limit": "5"}'),
  ('{"q": "x", "threshold": -0.1}'), ('{"q": "x", "rerank": "true"}'), ('{"q": "x", "searchMode": "both"}'), ('{"q": "x", "aggregate": true}'),
  ('{"q": "x", "include": []}'), ('{"q": "x", "include": {"documents": 1}}'), ('{"q": "x", "containerTag": "a/b"}'), ('{"q": "x", "filters": "{"}'),
  ('{"q": "x", "filters": {"AND": [{"key": "a"}]}}')
) b (body);

-- a new version; context tells the distance
select pg_temp.http('PATCH', '/v4/memories', '{"containerTag": "ada", "content": "Ada prefers green tea", "newContent": "Ada prefers black tea", "metadata": {"topic": "tea"}}');
select pg_temp.json('POST', '/v4/search', '{"q": "black tea", "containerTag": "ada", "threshold": 0, "limit": 1}') #>> '{results,0,id}' as tea \gset
select pg_temp.http('PATCH', '/v4/memories', format('{"containerTag": "ada", "id": "%s", "newContent": "Ada prefers white tea"}', :'tea'));
-- an earlier version's id leads to the newest
select pg_temp.http('PATCH', '/v4/memories', format('{"containerTag": "ada", "id": "%s", "newContent": "Ada prefers oolong tea", "forgetAfter": "2099-05-05"}', :'tea'));
select pg_temp.http('PATCH', '/v4/memories', format('{"containerTag": "ada", "id": "%s", "newContent": "Ada prefers oolong", "forgetAfter": null}', :'tea'));
select id as engine from memory_profile.memory where content = 'Ada is debugging the analytical engine' \gset
select id as mathematician from memory_profile.memory where content = 'Ada is a mathematician' \gset
begin;
select memory_profile.use_project('http_supermemory', true), memory_profile.memory_relate('ada', :'engine', :'mathematician', 'extends');
commit;
select pg_temp.http('POST', '/v4/search', '{"q": "oolong", "containerTag": "ada", "threshold": 0, "limit": 1, "include": {"relatedMemories": true}}');
select pg_temp.http('POST', '/v4/search', '{"q": "mathematician", "containerTag": "ada", "threshold": 0, "limit": 1, "include": {"relatedMemories": true}}');
select pg_temp.http('PATCH', '/v4/memories', body) from (values
  ('{"containerTag": "ada", "newContent": "x"}'), ('{"containerTag": "ada", "id": "mem_x"}'), ('{"containerTag": "ada", "id": "mem_x", "newContent": " "}'),
  ('{"containerTag": "ada", "id": "mem_x", "newContent": "x"}'), ('{"containerTag": "ada", "id": "doc_x", "newContent": "x"}'),
  ('{"containerTag": "bob", "content": "Ada is a mathematician", "newContent": "x"}')
) b (body);

-- forgetting
select pg_temp.http('DELETE', '/v4/memories', '{"containerTag": "ada", "content": "Ada travels to Turin", "reason": "cancelled"}');
select pg_temp.http('DELETE', '/v4/memories', '{"containerTag": "ada", "content": "Ada travels to Turin"}');
select a.headers from pg_temp.answer('DELETE', '/v4/memories', '{"containerTag": "ada", "content": "Ada travels to Turin"}', pg_temp.key('all')) a;
select pg_temp.http('DELETE', '/v4/memories', body) from (values ('{"containerTag": "ada"}'), ('{"containerTag": "ada", "id": "mem_x"}'), ('{"id": "mem_x"}')) b (body);
select pg_temp.json('POST', '/v4/search', '{"q": "Turin", "containerTag": "ada", "threshold": 0.1}') -> 'total' as found;
select pg_temp.http('POST', '/v4/search', '{"q": "Turin", "containerTag": "ada", "threshold": 0.1, "limit": 1, "include": {"forgottenMemories": true}}');
select pg_temp.http('POST', '/v4/memories/forget-matching', '{"containerTag": "ada", "query": "analytical engine", "threshold": 0.2, "dryRun": true}');
select pg_temp.http('POST', '/v4/memories/forget-matching', format('{"containerTag": "ada", "ids": ["%s", "mem_nonesuch"], "reason": "done"}', :'engine'));
select pg_temp.http('POST', '/v4/memories/forget-matching', '{"containerTag": "ada"}');
select pg_temp.http('POST', '/v4/memories/list', '{"containerTags": ["ada"], "sort": "updatedAt", "order": "asc", "limit": "1", "page": 2}');
select pg_temp.http('POST', '/v4/memories/list', body) from (values ('{}'), ('{"containerTags": ["ada"], "limit": 1101}'), ('{"containerTags": ["ada"], "sort": "name"}')) b (body);

-- documents
select pg_temp.http('POST', '/v3/documents', body) from (values ('{}'), ('{"content": " "}'), ('{"content": "x", "customId": "a/b"}'), ('{"content": "x", "documentDate": "today"}'),
  ('{"content": "x", "containerTag": "a", "containerTags": ["a"]}'), ('{"content": "x", "taskType": "all"}'), ('{"content": "x", "filterByMetadata": {"a": 1}}')) b (body);
select pg_temp.http('POST', '/v3/documents', '{"content": "# Logbook\n\nMy name is Grace Hopper. I work at the naval laboratory.", "containerTag": "grace", "customId": "logbook", "metadata": {"year": 1947}, "filepath": "/logs/1947.md"}');
select pg_temp.http('POST', '/v3/documents/batch', '{"containerTag": "grace", "metadata": {"batch": true}, "documents": [
  "The relay had a moth in it.", {"content": "The compiler was finished in May.", "containerTags": ["grace"]}, {"content": ""}, {"content": "x", "containerTag": "?"}, 5]}');
select pg_temp.http('GET', '/v3/documents/processing?containerTags=grace&view=pending');
select pg_temp.http('GET', '/v3/documents/logbook');
call memory_profile.run_jobs();
select pg_temp.json('GET', '/v3/documents/processing') -> 'totalCount' as open;
select pg_temp.json('GET', '/v3/documents/processing?view=all&limit=2&containerTags=grace') -> 'pagination' as pages;
select pg_temp.http('GET', '/v3/documents/logbook');
select pg_temp.http('GET', '/v3/documents/logbook/chunks');
select pg_temp.http('POST', '/v3/documents/list', '{"containerTags": ["grace"], "filepath": "/logs/", "includeContent": true}');
select pg_temp.json('POST', '/v3/documents/list', '{"containerTags": ["grace"], "limit": 2, "page": "2"}') -> 'pagination' as pages;
select pg_temp.json('POST', '/v3/documents/list', '{"filters": {"AND": [{"key": "batch", "value": "true"}]}}') #> '{pagination,totalItems}' as found;
select pg_temp.http('POST', '/v3/search', '{"q": "moth in the relay", "containerTags": ["grace"], "limit": 1, "includeFullDocs": true, "includeSummary": true}');
select pg_temp.json('POST', '/v3/search', '{"q": "naval laboratory", "docId": "logbook"}') #>> '{results,0,title}' as found;
select pg_temp.http('POST', '/v3/search', '{"q": "x", "categoriesFilter": ["a"]}');
select r ->> 'chunk' as chunk, r -> 'documents' -> 0 ->> 'title' as title
from jsonb_array_elements(pg_temp.json('POST', '/v4/search', '{"q": "moth in the relay", "containerTag": "grace", "searchMode": "documents", "limit": 1, "threshold": 0, "include": {"documents": true}}') -> 'results') r;
select r ->> 'filepath' as filepath, r ? 'memory' as memory
from jsonb_array_elements(pg_temp.json('POST', '/v4/search', '{"q": "naval laboratory", "containerTag": "grace", "threshold": 0, "filepath": "/logs/", "limit": 1}') -> 'results') r;
-- the same custom id replaces the content
select pg_temp.http('POST', '/v3/documents', '{"content": "My name is Grace Hopper. I retired.", "containerTag": "grace", "customId": "logbook"}');
select d -> 'latestRevision' as revision, d ->> 'status' as status, d -> 'metadata' as metadata from pg_temp.json('GET', '/v3/documents/logbook') d;
select pg_temp.http('PATCH', '/v3/documents/logbook', '{"metadata": {"year": 1986}}');
select pg_temp.http('PATCH', '/v3/documents/logbook', '{"containerTag": "ada"}');
select pg_temp.http('PATCH', '/v3/documents/nonesuch', '{"content": "x"}');
select pg_temp.http('PATCH', '/v3/documents/mem_x', '{"content": "x"}');
select pg_temp.http('PATCH', '/v3/documents/logbook', '{"content": "I sail.", "customId": "book"}');
select pg_temp.http('GET', '/v3/documents/logbook');
select pg_temp.http('POST', '/v3/documents', '{"content": "I fly.", "customId": "book"}');
select pg_temp.http('GET', '/v3/documents/book');
select pg_temp.http('DELETE', '/v3/documents/bulk', '{}');
select pg_temp.http('DELETE', '/v3/documents/bulk', '{"ids": ["book", "nonesuch"]}');
select pg_temp.http('DELETE', '/v3/documents/bulk', '{"containerTags": ["sm_project_default"]}');
select pg_temp.http('DELETE', '/v3/documents/book');
select pg_temp.http('DELETE', '/v3/documents/book');

-- conversations grow
select pg_temp.http('POST', '/v4/conversations', '{"conversationId": "c1", "containerTags": ["joan"], "messages": [
  {"role": "user", "content": "My name is Joan Clarke."}, {"role": "assistant", "content": [{"type": "text", "text": "Hello Joan."}]}]}');
select pg_temp.http('POST', '/v4/conversations', '{"conversationId": "c1", "containerTags": ["joan"], "messages": [
  {"role": "user", "content": "My name is Joan Clarke."}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "I live in Oxford."}]}');
select m.sequence, m.role, m.content from memory_profile.message m where m.conversation_id = 'c1' order by 1;
call memory_profile.run_jobs();
select pg_temp.json('GET', '/api/v1/profiles?subject_id=joan');
select pg_temp.http('POST', '/v4/conversations', body) from (values ('{}'), ('{"conversationId": "c 1", "messages": [{"content": "x"}]}'), ('{"conversationId": "c"}'), ('{"conversationId": "c", "messages": [{"content": 5}]}'),
  ('{"conversationId": "c", "messages": [{"role": "narrator", "content": "x"}]}')) b (body);

-- container tags
select pg_temp.http('PATCH', '/v3/container-tags/emmy', '{"name": "Emmy", "entityContext": "a mathematician"}');
select pg_temp.http('PATCH', '/v3/container-tags/emmy', '{"entityContext": null}');
select pg_temp.http('PATCH', '/v3/container-tags/emmy', '{"profileBuckets": [{"key": "x"}]}');
select tag ->> 'containerTag' as tag from jsonb_array_elements(pg_temp.json('GET', '/v3/container-tags/list')) tag;
select tag ->> 'containerTag' as tag from jsonb_array_elements(pg_temp.json('GET', '/v3/container-tags/list?limit=2&page=2')) tag;
select pg_temp.http('GET', '/v3/container-tags/list?limit=0');
select pg_temp.http('DELETE', '/v3/container-tags/ada');
select pg_temp.http('GET', '/v3/container-tags/ada');
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "ada"}');

select (memory_profile.project_drop('http_supermemory') ->> 'subjects')::int > 0 as dropped;
