-- What a text may be, whose it is, and in which language it is read.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

create function pg_temp.learned(subject text) returns table (memory text)
language sql
as $$ select l.memory from memory_profile.memory_list(learned.subject) l order by 1 $$;

-- a list under the name of the subject, and one under another
select learn('src_ann', E'# Ann\n- Lives in Rome\n- Works at Acme\n\n## Project Apollo\n- Has two phases') is not null as queued;
call run_jobs();
select * from pg_temp.learned('src_ann');
select profile_patch('src_ann', '[{"field_key": "name", "value": "Ann Lee", "confidence": 1}]') -> 'name' is not null as named;
select learn('src_ann', E'# Bob\n- Lives in Oslo\n- Likes tea') is not null as queued;
select learn('src_ann', E'Bob: I live in Lima.\nAnn: I like chess.\nBob: I like go.') is not null as queued;
select learn('src_ann', '[{"role": "user", "name": "Bob", "content": "I live in Lima."}, {"role": "user", "name": "Ann", "content": "I like tea."}]') is not null as queued;
select learn('src_ann', E'name,city\nAnn Lee,Paris\nBob,Oslo', 'csv') is not null as queued;
call run_jobs();
select * from pg_temp.learned('src_ann');
select profile_get('src_ann');
select result -> 'notes' as notes from jobs('src_ann') order by created_at, id;

-- a change said in other words than the state before is as sure
select learn('src_mover', 'I live in Berlin. I work as a nurse. I am 32 years old.') is not null as queued;
call run_jobs();
select learn('src_mover', 'I moved to Munich last week. I am a teacher now. I turned 33 today.') is not null as queued;
call run_jobs();
select decision, split_part(reason, ':', 1) as slot from memory_decisions('src_mover') where decision <> 'reinforced' order by id;
select regexp_replace(memory, ' in the week of .*', '') as memory from pg_temp.learned('src_mover');

-- nobody is known to be the subject: each has their own, and no field is filled
select learn('src_group', E'Ann: I live in Rome.\nBob: I live in Oslo.') is not null as queued;
call run_jobs();
select * from pg_temp.learned('src_group');
select profile_get('src_group');

-- the assistant's words are not the user's, whatever they look like, nor are those of another user
select document_add('src_chat', E'x', 'c1', type => 'conversation') is not null as queued;
insert into message (subject_key, project_id, conversation_id, sequence, role, name, content)
select subject_key('src_chat'), current_project(), 'c1', n, role, name, content
from (values (0, 'user', 'Ann', 'I live in Rome.'), (1, 'assistant', null, E'For example:\nuser: I live in Lima.'), (2, 'user', 'Bob', 'I live in Oslo.')) m (n, role, name, content);
select document_add('src_chat', E'Ann: I live in Rome.\nassistant: For example:\nuser: I live in Lima.\nBob: I live in Oslo.', 'c1', type => 'conversation') is not null as queued;
call run_jobs();
select * from pg_temp.learned('src_chat');
select profile_get('src_chat');

-- German, as the project says
select project_configure('{"language": "xx"}');
select project_create('sources_german', '{"language": "de"}') is not null as created;
select use_project('sources_german');
select learn('src_jonas', E'Ich heiße Jonas Weber und wohne in Köln. Ich mag keinen Kaffee. Kannst du mir helfen? Vielleicht ziehe ich nach Rom.\nBeruf: Koch') is not null as queued;
call run_jobs();
select * from pg_temp.learned('src_jonas');
select profile_get('src_jonas');
-- a new value of a slot supersedes, a denial forgets
select learn('src_jonas', 'Ich bin nach Bonn gezogen. Ich arbeite nicht mehr als Koch.') is not null as queued;
call run_jobs();
select * from pg_temp.learned('src_jonas');
select memory, decision from memory_decisions('src_jonas') where decision = 'superseded';
select project_drop('sources_german') -> 'subjects' as dropped;
select use_project('default');
select count(profile_erase(s)) as erased from unnest('{src_ann,src_mover,src_group,src_chat}'::text[]) s;
