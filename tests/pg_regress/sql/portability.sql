-- Export, import, erase: nothing lost on the way out and in, nothing left behind.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

select profile_patch('port', '[{"field_key": "name", "value": "Pia"}, {"field_key": "email", "value": "pia@example.com"}]');
select profile_patch('port', '[{"field_key": "name", "value": "Pia Port", "confidence": 1}]');
select profile_delete('port', 'email');
create temporary table made (name text, id text);
insert into made values ('a', memory_add('port', 'Pia plays the cello', true, '{"source": "chat"}', 'preference', 0.8));
insert into made values ('b', memory_add('port', 'Pia lives in Ghent'));
insert into made select 'c', memory_update('port', id, 'Pia lives in Bruges') from made where name = 'b';
insert into made values ('d', memory_add('port', 'Pia is at the dentist', forget_after => now() - interval '1 day'));
insert into made values ('e', memory_add('port', 'Pia dislikes jazz'));
select memory_forget('port', id, 'she never said so') is not null as forgotten from made where name = 'e';
select memory_relate('port', (select id from made where name = 'c'), (select id from made where name = 'a'), 'extends');
select message_add('port', 'user', 'Hello!', 'c1') is not null as kept;
select document_add('port', 'I work at Acme Corp.', 'cv', '{"year": 2024}') is not null as added;
call run_jobs();

-- the seed's shape
create temporary table exported as select profile_export('port') as document;
select jsonb_object_keys(document) as key from exported order by key;
select document -> 'profile' -> 'externalId' as external_id, document -> 'profile' -> 'summary' as summary,
       (document -> 'profile' ->> 'id')::uuid = subject_key('port') as id, document ->> 'exportedAt' ~ '^\d{4}-.*Z$' as exported_at from exported;
select t -> 'key' as key, t -> 'value' as value, t -> 'confidence' as confidence, t -> 'source' as source, t -> 'valueType' as value_type,
       t ->> 'createdAt' ~ 'Z$' as created from exported, jsonb_array_elements(document -> 'traits') t;
select m -> 'content' as content, m -> 'type' as type, m -> 'importance' as importance from exported, jsonb_array_elements(document -> 'memories') m;
select m -> 'role' as role, m -> 'content' as content from exported, jsonb_array_elements(document -> 'messages') m;
select m -> 'content' as content, m ? 'supersededAt' as superseded, m -> 'forgetReason' as reason
from exported, jsonb_array_elements(document -> 'history' -> 'memories') m order by m ->> 'content', m ->> 'version';
select d -> 'customId' as custom_id, d -> 'content' as content, jsonb_array_length(d -> 'chunks') as chunks, jsonb_array_length(d -> 'memories') as memories
from exported, jsonb_array_elements(document -> 'history' -> 'documents') d;
select profile_export('port', false) ? 'history' as history;
select profile_export(subject_key('port')::text) #>> '{profile,externalId}' as by_uuid;

-- out and in again is the same document
select profile_import(document) from exported;
select profile_erase('port');
select subject_exists('port');
create temporary table erased (key uuid);
insert into erased values (subject_key('port'));
select sum(rows) as rows_left
from erased, lateral (
  select count(*) from memory where subject_key = key
  union all select count(*) from memory_relation where subject_key = key
  union all select count(*) from memory_source where subject_key = key
  union all select count(*) from memory_embedding where subject_key = key
  union all select count(*) from document where subject_key = key
  union all select count(*) from chunk where subject_key = key
  union all select count(*) from chunk_embedding where subject_key = key
  union all select count(*) from message where subject_key = key
  union all select count(*) from job where subject_key = key
  union all select count(*) from event where subject_key = key
  union all select count(*) from subject where subject_key = key
) of_table (rows);
select profile_import(document) from exported;
select profile_export('port') - 'exportedAt' = document - 'exportedAt' as same from exported;
select memory from memory_search('port', 'cello', 0) limit 1;
select memory, version from memory_history('port', (select id from made where name = 'c')) order by version;
select profile_get('port');

-- into another subject, and another project
select profile_import(document, 'port2') from exported;
select profile_get('port2');
select jsonb_array_length(profile_export('port2') -> 'memories') as memories;

-- an export of GetProfile itself
select profile_import('{
  "profile": {"id": "550e8400-e29b-41d4-a716-446655440000", "externalId": "user-123", "summary": "Alex is an experienced software engineer...",
              "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-15T10:30:00Z"},
  "traits": [{"key": "name", "value": "Alex", "confidence": 0.95, "source": "extracted", "createdAt": "2024-01-01T00:00:00Z"}],
  "memories": [{"id": "mem-123", "content": "Working on microservices migration", "type": "event", "importance": 0.8, "createdAt": "2024-01-14T00:00:00Z"}],
  "messages": [{"id": "msg-123", "role": "user", "content": "Hello!", "createdAt": "2024-01-14T00:00:00Z"}],
  "exportedAt": "2024-01-15T12:00:00Z"}');
select e #> '{profile,summary}' as summary, e #> '{profile,createdAt}' as created, e #> '{traits,0,source}' as source, e #> '{traits,0,createdAt}' as trait_created,
       e #> '{memories,0,id}' as memory, e #> '{memories,0,type}' as type, e #> '{messages,0,content}' as message from profile_export('user-123') e;

-- bad input
select profile_export('nonesuch');
select profile_export('550e8400-e29b-41d4-a716-446655440001');
select profile_import('{}');
select profile_import('[]');
select profile_import('{"profile": {"externalId": "bad"}, "traits": [], "memories": [{"id": "m1", "content": ""}], "messages": []}');
select subject_exists('bad');
select profile_erase('nonesuch');

select profile_erase('port') ->> 'erased' as a, profile_erase('port2') ->> 'erased' as b, profile_erase('user-123') ->> 'erased' as c;
