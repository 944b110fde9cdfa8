-- What agents and the frameworks around the SDKs send: documents of several containers, chats that go on, filters by what a
-- document was described with, and JSON that models make up.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
set memory_profile.embedding_model = '';
select memory_profile.project_create('http_agents') is not null as created;
insert into test_key values ('all', memory_profile.api_key_create('http_agents')), ('limited', memory_profile.api_key_create('http_agents', subjects => '{zoe}'));
select memory_profile.use_project('http_agents');

-- a document of several containers: one id, in the order given, and each container learns from it
select pg_temp.http('POST', '/v3/documents', '{"content": "I live in Oslo.", "customId": "note", "containerTags": ["zoe", "crew", "zoe"], "metadata": {"kind": "file"}}');
call memory_profile.run_jobs();
select pg_temp.json('GET', '/v3/documents/note') -> 'containerTags' as containers;
select tag, d -> 'pagination' -> 'totalItems' as documents, d -> 'memories' -> 0 -> 'containerTags' as containers
from unnest('{crew,zoe}'::text[]) tag cross join lateral pg_temp.json('POST', '/v3/documents/list', jsonb_build_object('containerTags', array[tag])::text) d;
select d -> 'pagination' -> 'totalItems' as documents from pg_temp.json('POST', '/v3/documents/list', '{"containerTags": ["crew", "zoe"]}') d;
select d -> 'total' as found from pg_temp.json('POST', '/v3/search', '{"q": "Oslo", "containerTags": ["crew", "zoe"]}') d;
select d -> 'pagination' -> 'totalItems' as documents from pg_temp.json('POST', '/v3/documents/list', '{}') d;
select d -> 'totalCount' as documents from pg_temp.json('GET', '/v3/documents/processing?view=all') d;
select tag, pg_temp.json('POST', '/v4/profile', jsonb_build_object('containerTag', tag)::text) #> '{profile,static}' as static from unnest('{crew,zoe}'::text[]) tag;
select pg_temp.http('PATCH', '/v3/documents/note', '{"content": "I live in Bergen.", "metadata": {"kind": "edited"}, "containerTags": ["crew", "zoe"]}');
select pg_temp.http('PATCH', '/v3/documents/note', '{"containerTags": ["crew"]}');
call memory_profile.run_jobs();
select s.external_id, d.content, d.metadata, d.status from memory_profile.document d join memory_profile.subject s using (subject_key)
where d.project_id = memory_profile.current_project() order by 1;
select pg_temp.http('POST', '/v3/documents', '{"content": "x", "containerTags": ["zoe", "crew"]}', 'limited');
select pg_temp.json('GET', '/v3/documents/note', null, 'limited') -> 'containerTags' as containers;
-- what is restored keeps its place; what is copied to another subject is a document by itself
create temporary table exported as select memory_profile.profile_export('crew') as document;
select memory_profile.profile_erase('crew') ->> 'documents' as erased;
select pg_temp.json('GET', '/v3/documents/note') -> 'containerTags' as containers;
select memory_profile.profile_import(document) ->> 'documents' as restored, memory_profile.profile_import(document, 'copy') ->> 'documents' as copied from exported;
select pg_temp.http('GET', '/v3/documents/note');
select memory_profile.profile_erase('copy') ->> 'documents' as erased;
select pg_temp.json('GET', '/v3/documents/note') -> 'containerTags' as containers;
select pg_temp.http('DELETE', '/v3/documents/bulk', '{"containerTags": ["crew"]}');
select pg_temp.json('GET', '/v3/documents/note') -> 'containerTags' as containers;
select pg_temp.http('POST', '/v3/documents', '{"content": "I live in Bergen.", "customId": "note", "containerTags": ["zoe", "crew"]}') is not null as again;
select pg_temp.http('DELETE', '/v3/documents/note');
select count(*) as left from memory_profile.document d where d.project_id = memory_profile.current_project();

-- a chat whose new messages are sent alone goes on; sent in full, or by PATCH, it is replaced
select pg_temp.http('POST', '/v3/documents', '{"customId": "chat", "containerTag": "ida", "content": "user: I am Ida.\nassistant: Hello!"}');
select pg_temp.http('POST', '/v3/documents', '{"customId": "chat", "containerTag": "ida", "content": "assistant: Hello!\nuser: I work at Acme."}');
select pg_temp.http('POST', '/v3/documents', '{"customId": "chat", "containerTag": "ida", "content": "assistant: Hello!\nuser: I work at Acme."}');
select pg_temp.json('GET', '/v3/documents/chat') ->> 'content' as content;
call memory_profile.run_jobs();
select pg_temp.json('POST', '/v4/profile', '{"containerTag": "ida"}') #> '{profile,static}' as static;
select pg_temp.http('POST', '/v3/documents', '{"customId": "chat", "containerTag": "ida", "content": "user: I am Ida.\nassistant: Hi."}');
select pg_temp.json('GET', '/v3/documents/chat') ->> 'content' as content;
select pg_temp.http('PATCH', '/v3/documents/chat', '{"content": "user: I have a dog."}');
select pg_temp.json('GET', '/v3/documents/chat') ->> 'content' as content;
select pg_temp.http('POST', '/v3/documents', '{"customId": "json", "containerTag": "ida", "content": "[{\"role\": \"user\", \"content\": \"I have a cat.\"}]"}');
select pg_temp.http('POST', '/v3/documents', '{"customId": "json", "containerTag": "ida", "content": "[{\"role\":\"user\",\"content\":\"I play chess.\"}]"}');
select pg_temp.json('GET', '/v3/documents/json') ->> 'content' as content;
select former, sent, memory_profile._chat_continued(former, sent) as content
from (values ('A note.', 'Another note.'), ('user: a', 'A note.'), ('user: a', '[{"role": "user", "content": "b"}]'), ('[1]', '[2]'), ('[', '[{'), ('[]', '[]')) t (former, sent);

-- a filter speaks of a memory's own metadata and of the documents that it was drawn from
select pg_temp.http('POST', '/v3/documents', '{"containerTag": "eva", "content": "I live in Rome.", "metadata": {"group": "home", "year": 2024}}');
call memory_profile.run_jobs();
select memory_profile.memory_add('eva', 'Eva keeps bees', metadata => '{"group": "garden"}') is not null as added;
select filters, (select jsonb_agg(r -> 'memory') from jsonb_array_elements(pg_temp.json('POST', '/v4/search',
  jsonb_build_object('q', 'Rome bees', 'containerTag', 'eva', 'threshold', 0, 'filters', filters)::text) -> 'results') r) as found,
  pg_temp.json('POST', '/v4/profile', jsonb_build_object('containerTag', 'eva', 'filters', filters)::text) -> 'profile' as profile,
  (select array_agg(memory order by memory) from memory_profile.memory_list('eva', filters)) as listed
from (values ('{"AND": [{"key": "group", "value": "home"}]}'::jsonb), ('{"AND": [{"key": "group", "value": "home", "negate": true}]}'),
             ('{"AND": [{"key": "year", "value": "2023", "filterType": "numeric", "numericOperator": ">"}]}')) f (filters);

-- JSON that cannot be read is the caller's mistake, and says where
select pg_temp.http('POST', '/v4/profile', '{"containerTag": "eva"');
select pg_temp.http('POST', '/v4/profile', '{''containerTag'': "eva"}');
select pg_temp.http('POST', '/v4/memories', '{"containerTag": "eva", "memories": [{"content": "x", "metadata": {"n": 1e400}}]}');
select pg_temp.http('PATCH', '/api/v1/profiles', '{"subject_id": "eva", "updates": [{"field_key": "name", "value": "x", "confidence": 1e400}]}');
select pg_temp.http('PATCH', '/api/v1/profiles', format('{"subject_id": "eva", "updates": [{"field_key": "name", "value": %s1%s}]}', repeat('[', 200), repeat(']', 200)));
select left(pg_temp.http('POST', '/v4/search', format('{"q": "x", "filters": %s1%s}', repeat('{"AND": [', 200), repeat(']}', 200))), 200);
select memory_profile.profile_patch('eva', format('[{"field_key": "name", "value": %s1%s}]', repeat('[', 200), repeat(']', 200))::jsonb);

-- what has no text, and one of what could be several
select pg_temp.http('POST', '/v4/conversations', '{"conversationId": "c", "containerTag": "eva", "messages": [{"role": "assistant", "content": ""}]}');
select pg_temp.http('POST', '/v4/memories/forget-matching', '{"containerTag": "eva", "query": "Eva keeps bees", "dryRun": true}');
select memory_profile.memory_update('eva', (select id from memory_profile.memory_list('eva') where memory = 'Eva keeps bees'), 'Eva keeps many bees') is not null as updated;
select pg_temp.http('POST', '/v4/memories/forget-matching', jsonb_build_object('containerTag', 'eva', 'ids',
  array(select h.id from memory_profile.memory m cross join lateral memory_profile.memory_history('eva', m.id) h where m.content = 'Eva keeps many bees' and h.version = 1))::text);

-- administrators' slips
select memory_profile.api_key_create('http_agents', scopes => '{profile:read}');
select memory_profile.api_key_create('http_agents', scopes => '{}');
select array(select distinct unnest(r.scopes) from memory_profile_http._routes() r) <@ memory_profile._scopes() as every_scope_can_be_given;
select memory_profile.project_create('http_agents');
select memory_profile.project_create(' ');
select memory_profile.project_configure('{"profile_limit": 1.5}');
select memory_profile.project_configure('{"unknown_fields": "keep"}');
select memory_profile.message_add('eva', null, 'x');
\set VERBOSITY default
select memory_profile.project_configure('{"profile_limit": 50.0}');
