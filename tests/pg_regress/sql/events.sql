-- The outbox, notifications, and what can be seen of the queue.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

-- every change of a memory is an event, and so is every change of a profile; their texts are not in them
select memory_add('ev_ann', 'Likes tea') as tea \gset
select memory_update('ev_ann', :'tea', 'Likes green tea') as green \gset
select memory_forget('ev_ann', :'green', 'no longer true') is not null as forgotten;
select profile_patch('ev_ann', '[{"field_key": "name", "value": "Ann", "confidence": 0.9}]') is not null as patched;
select profile_patch('ev_ann', '[{"field_key": "name", "value": "Anna", "confidence": 0.5}]') is not null as refused;
select row_number() over (order by id) as n, type, data - '{memory_id,previous_id,superseded_by,updated_at}'::text[] as data,
       case data ->> 'memory_id' when :'tea' then 'tea' when :'green' then 'green' end as memory,
       data ->> 'previous_id' = :'tea' as of_tea, data ->> 'superseded_by' = :'green' as by_green
from event where subject_key = subject_key('ev_ann') order by id;
-- seen again is no change, a memory that lasts now is one
select memory_add('ev_bob', 'Rows') is not null, memory_add('ev_bob', 'Rows') is not null, memory_add('ev_bob', 'Rows', true) is not null;
select type from event where subject_key = subject_key('ev_bob') order by id;

-- a notification is far below the limit of its size whatever the ids are; that it arrives is tested with the worker
select max(octet_length(jsonb_build_object('event_id', 9223372036854775807, 'type', 'memory.superseded', 'project_id', project_id,
  'subject_key', subject_key, 'memory_id', repeat('x', 100))::text)) < 8000 as fits from subject;
select project_configure('{"notify": "loud"}');
select project_configure('{"notify": false}') -> 'notify' as notify;
select memory_add('ev_ann', 'Nobody is told') is not null as added;
select project_configure('{"notify": null}') -> 'notify' as notify;

-- an imported profile has the events that it had
create temp table exported as select profile_export('ev_ann') as document;
select profile_import(document, 'ev_copy') -> 'events' as events from exported;

-- status of a subject and of a document
select profile_status('ev_nobody');
select learn('ev_cleo', 'My name is Cleo.') is not null as queued;
select profile_status('ev_cleo') - 'waiting_since' as status;
select document_add('ev_cleo', 'I live in Rome.', 'home') is not null as added;
select document_status('ev_cleo', 'home') - '{id,updated_at}'::text[] as status;
begin;
select count(*) from _job_claim();
select profile_status('ev_cleo') -> 'status' as status;
rollback;
call run_jobs();
select profile_status('ev_cleo') - 'learned_at' as status;
select document_status('ev_cleo', 'home') - '{id,updated_at}'::text[] as status;
select document_status('ev_cleo', (select id from document where custom_id = 'home')) ->> 'custom_id' as by_id;
select document_status('ev_cleo', 'nonesuch');

-- the queue at a glance, with why something failed
insert into job (subject_key, project_id, kind, max_attempts) select subject_key, project_id, 'embed', 1 from subject where external_id = 'ev_cleo';
set memory_profile.embedding_model = '../evil';
call run_jobs();
set memory_profile.embedding_model = '';
select kind, status, jobs, age is null as over, retried, last_minute > 0 as just_now, last_error from job_status();
select profile_status('ev_cleo') -> 'status' as status, profile_status('ev_cleo') -> 'jobs' as jobs;

-- the same content again is not processed again, the same with another date is
select document_add('ev_cleo', 'I live in Rome.', 'home', '{"again": true}') is not null as same;
select status, metadata from document where custom_id = 'home';
select count(*) from jobs('ev_cleo') where kind = 'document';
select seen_count from memory where subject_key = subject_key('ev_cleo') and content like '%Rome%';
select document_add('ev_cleo', 'I live in Rome.', 'home', document_date => '2020-01-01') is not null as other_date;
select document_status('ev_cleo', 'home') ->> 'status' as status;
-- of several versions that wait, only the last is processed
select document_add('ev_cleo', 'I live in Oslo.', 'home') is not null, document_add('ev_cleo', 'I live in Bonn.', 'home') is not null;
call run_jobs();
select result -> 'notes' as notes, result -> 'chunks' as chunks from jobs('ev_cleo') where kind = 'document' order by created_at, finished_at;
select content from memory where subject_key = subject_key('ev_cleo') and source_type = 'document' and superseded_at is null and forgotten_at is null;

-- a passage that moves keeps its vector
set memory_profile.embedding_model = 'all-MiniLM-L6-v2';
select document_add('ev_dora', (select string_agg(format('# Part %s', i) || repeat(format(E'\n\nParagraph %s says something of its own.', i), 3), E'\n\n')
  from generate_series(1, 6) i), 'book', task_type => 'superrag') is not null as added;
call run_jobs();
select status from document where custom_id = 'book';
create temp table before as select c.content, e.embedding from chunk c join chunk_embedding e on e.subject_key = c.subject_key and e.chunk_id = c.id
where c.subject_key = subject_key('ev_dora');
select document_add('ev_dora', E'# Preface\n\nThis is new.\n\n' || content, 'book', task_type => 'superrag') is not null as added from document where custom_id = 'book';
set memory_profile.embedding_model = '';
call run_jobs();
select c.position, c.heading, e.embedding is not null as has_vector, e.embedding = b.embedding as the_same
from chunk c
left join chunk_embedding e on e.subject_key = c.subject_key and e.chunk_id = c.id
left join before b on b.content = c.content
where c.subject_key = subject_key('ev_dora') order by c.position;
set memory_profile.embedding_model = 'all-MiniLM-L6-v2';
select embeddings_refresh();
call run_jobs();
select count(*) filter (where e.chunk_id is null) as without_vector, count(*) from chunk c left join chunk_embedding e on e.subject_key = c.subject_key and e.chunk_id = c.id
where c.subject_key = subject_key('ev_dora');
select chunk from memory_search('ev_dora', 'what is new?', 0, search_mode => 'documents') limit 1;

select count(profile_erase(external_id)) from subject where external_id like 'ev\_%';
select count(*) from event;
