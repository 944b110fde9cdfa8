-- Documents and the job queue: from text to chunks, memories and profile fields.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

-- text about a subject is accepted at once and processed after commit
select learn('doc_ann', 'My name is Ann Lee and I live in Berlin. My email is ann.lee@example.com. I love climbing.') is not null as queued;
select kind, status, attempts from jobs('doc_ann');
select profile_get('doc_ann');
call run_jobs();
select kind, status, attempts, error, result - 'memories' as result from jobs('doc_ann');
select profile_get('doc_ann');
select key, value -> 'source_type' as source_type, (value ->> 'confidence')::numeric <= 0.99 as below_manual from jsonb_each(profile_get('doc_ann', 'full')) order by key;
select section, memory, kind from profile_memories('doc_ann') order by section desc, memory;

-- the raw text is gone, its size and checksum stay
select payload, payload_bytes, payload_sha256 = sha256('My name is Ann Lee and I live in Berlin. My email is ann.lee@example.com. I love climbing.'::bytea) as checksum
from job where subject_key = subject_key('doc_ann');

-- what a person set by hand outlives what a text says
select profile_patch('doc_ann', '[{"field_key": "name", "value": "Ann B. Lee", "confidence": 1}]');
select learn('doc_ann', 'My name is Annie.') is not null as queued;
call run_jobs();
select profile_get('doc_ann') -> 'name' as name;
select result -> 'rejected' as rejected from jobs('doc_ann') order by created_at desc limit 1;

-- a document: chunks, a title, a summary, memories that know their source
select document_add('doc_ann', E'# About Ann\n\nI work at Acme Corp.\n\n## Travel\n\nI am planning a trip to Lisbon.', 'about', '{"kind": "bio"}') ~ '^doc_' as added;
select status from document where subject_key = subject_key('doc_ann');
call run_jobs();
select custom_id, title, summary, status, error, metadata from document where subject_key = subject_key('doc_ann');
select position, heading, content from chunk where subject_key = subject_key('doc_ann') order by position;
select m.content from memory m join memory_source s using (subject_key) where s.memory_id = m.id and m.subject_key = subject_key('doc_ann') order by m.content;

-- the same custom id again replaces the content; what it no longer says is forgotten
select document_add('doc_ann', E'# About Ann\n\nI work at Umbrella Inc.', 'about') = (select id from document where custom_id = 'about') as same_id;
call run_jobs();
select position, content from chunk where subject_key = subject_key('doc_ann') order by position;
select content, forget_reason from memory where subject_key = subject_key('doc_ann') and source_type = 'document' order by content;

-- superrag: chunks only
select document_add('doc_ann', 'I own a yacht.', 'rag', task_type => 'superrag') ~ '^doc_' as added;
call run_jobs();
select count(*) from memory where subject_key = subject_key('doc_ann') and content like '%yacht%';
select chunk, memory from memory_search('doc_ann', 'yacht', 0, search_mode => 'documents');
select chunk, memory from memory_search('doc_ann', 'yacht', 0, filters => '{"AND": [{"key": "kind", "value": "bio"}]}', search_mode => 'documents');

-- deleting a document takes its chunks and what rests on it alone
select document_delete('doc_ann', (select id from document where custom_id = 'about'));
select document_delete('doc_ann', 'doc_nonesuch');
select document_add('doc_ann', 'Short.', 'brief') is not null as added, document_delete('doc_ann', 'brief');
select count(*) from document where subject_key = subject_key('doc_ann') and custom_id = 'brief';
select count(*) from chunk c join document d using (subject_key) where d.id = c.document_id and d.custom_id = 'about';
select content, forget_reason from memory where subject_key = subject_key('doc_ann') and source_type = 'document' order by content;

-- what a message taught knows who said it, where and when
select document_add('doc_talk', '[{"role": "user", "name": "Nora", "content": "I moved to Oslo.", "timestamp": "2024-01-05T10:00:00Z"},
  {"role": "user", "name": "Ines", "content": "Great! I adopted a puppy last week.", "timestamp": "2024-01-06T10:00:00Z"},
  {"role": "user", "name": "Ines", "content": "She is called Coco.", "timestamp": "2024-01-06T10:01:00Z"}]',
  'talk-1', type => 'conversation') ~ '^doc_' as added;
call run_jobs();
select speaker, conversation_id, sequence, event_date at time zone 'UTC' as event_date, content
from memory where subject_key = subject_key('doc_talk') order by sequence, content;
select memory from memories_add('doc_talk', '[{"content": "Nora rows", "speaker": "Nora", "conversation_id": "talk-2", "sequence": 7}]');
select speaker, conversation_id, sequence from memory where subject_key = subject_key('doc_talk') and content = 'Nora rows';
select profile_erase('doc_talk') is not null as erased;

-- a project may keep extraction away from its profile fields
begin;
select profile_schema_set('[]', 'manual') -> 'extraction_mode' as mode;
select learn('doc_cleo', 'My name is Cleo.') is not null as queued;
select _job_run(key, job_id) from _job_claim();
select profile_get('doc_cleo');
rollback;

-- a job that fails says why, comes back later, and ends as failed; a person may queue it again
insert into job (subject_key, project_id, kind, document_id, max_attempts) select subject_key, project_id, 'embed', null, 2 from subject where external_id = 'doc_ann';
set memory_profile.embedding_model = '../evil';
call run_jobs();
select status, attempts, error, run_after > now() as later from jobs('doc_ann') where kind = 'embed';
update job set run_after = now() where kind = 'embed';
call run_jobs();
select status, attempts, error from jobs('doc_ann') where kind = 'embed';
set memory_profile.embedding_model = '';
select job_retry('doc_ann', id) from jobs('doc_ann') where kind = 'embed';
call run_jobs();
select status, attempts, error, result from jobs('doc_ann') where kind = 'embed';

-- one subject's jobs run in their order, others do not wait
select learn('doc_x', 'I live in Rome.') is not null, learn('doc_x', 'I live in Oslo.') is not null, learn('doc_y', 'I live in Bonn.') is not null;
begin;
select (select external_id from subject where subject_key = c.key) as first from _job_claim() c;
select (select external_id from subject where subject_key = c.key) as second from _job_claim() c;
select c.job_id as third from _job_claim() c;
rollback;
call run_jobs(1);
select count(*) filter (where status = 'done') as done, count(*) filter (where status = 'queued') as queued from job j join subject s using (subject_key) where external_id in ('doc_x', 'doc_y');
call run_jobs();

-- bad input
select learn('doc_ann', '');
select learn('doc_ann', null);
select document_add('doc_ann', repeat('x', 1048577));
select document_add('doc_ann', 'x', 'bad id');
select document_add('doc_ann', 'x', metadata => '{"a": {}}');

-- messages
select message_add('doc_ann', 'user', 'Hello!', 'c1') is not null as kept, message_add('doc_ann', 'assistant', 'Hi.', 'c1') is not null as kept;
select role, content, sequence from message where subject_key = subject_key('doc_ann') order by sequence;

select count(profile_erase(external_id)) from subject where external_id like 'doc%';

-- vectors for much text come in batches, so that nobody waits long for the subject's lock, and hold no other job up
set memory_profile.embedding_model = 'all-MiniLM-L6-v2';
select count(*) from memories_add('doc_bulk', (select jsonb_agg(jsonb_build_object('content', 'note ' || i)) from generate_series(1, 150) i));
select learn('doc_bulk', 'My name is Bulk.') is not null as queued;
call run_jobs(1);
select kind, status, result from jobs('doc_bulk');
call run_jobs(1);
select kind, status from jobs('doc_bulk');
select count(*) from memory_embedding where subject_key = subject_key('doc_bulk');
call run_jobs();
select kind, status, result - 'memories' - 'fields' - 'notes' - 'rejected' as result from jobs('doc_bulk') order by kind;
select count(*) as without_vector from memory m where m.subject_key = subject_key('doc_bulk') and superseded_at is null
  and not exists (select from memory_embedding e where e.subject_key = m.subject_key and e.memory_id = m.id);
select profile_erase('doc_bulk') -> 'erased' as erased;
