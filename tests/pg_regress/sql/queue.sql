-- The queue: fair turns, much work in small runs, jobs whose process died.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

-- a subject with many jobs does not keep the others waiting
select count(learn('q_busy', 'I like number ' || i || '.')) from generate_series(1, 6) i;
call run_jobs(2);
select learn('q_late', 'I live in Rome.') is not null as queued;
call run_jobs(2);
select external_id, count(*) filter (where j.status = 'done') as done, count(*) filter (where j.status = 'queued') as queued
from jobs() j where external_id like 'q\_%' group by external_id order by external_id;
call run_jobs();

-- a long text is written in runs, between which other subjects have their turn and the subject can be written to
select learn('q_long', string_agg(format('I have been to the village number %s.', i), ' ')) is not null as queued from generate_series(1, 150) i;
select learn('q_short', 'I live in Bonn.') is not null as queued;
call run_jobs(1);
select status, attempts, applied, jsonb_array_length(result -> 'memories') as written, extraction is not null as more, payload is not null as kept
from job where subject_key = subject_key('q_long');
call run_jobs(1);
select external_id, status from jobs() where external_id in ('q_long', 'q_short') order by external_id;
call run_jobs();
select kind, status, attempts, applied, extraction, payload from job where subject_key = subject_key('q_long') order by kind;
select jsonb_array_length(result -> 'memories') as written from job where subject_key = subject_key('q_long') and kind = 'learn';
select count(*) from memory where subject_key = subject_key('q_long');

-- a document that changes halfway is not finished; what its first half taught goes with it
select document_add('q_half', string_agg(format('I have been to the village number %s.', i), ' '), 'trip') is not null as added from generate_series(1, 150) i;
call run_jobs(1);
select status from document where custom_id = 'trip';
select count(*) from memory where subject_key = subject_key('q_half') and forgotten_at is null;
select document_add('q_half', 'I live in Riga.', 'trip') is not null as changed;
call run_jobs();
select result -> 'notes' as notes from jobs('q_half') where kind = 'document' order by created_at;
select content from memory where subject_key = subject_key('q_half') and forgotten_at is null;

-- a job whose process died is taken up at once, which is no attempt of its own; one that kills its process again and again
-- waits longer each time and ends as failed
select learn('q_dead', 'I live in Kyiv.') is not null as queued;
update job set status = 'running', worker = 2147483647, attempts = 1, locked_until = now() + interval '10 minutes' where subject_key = subject_key('q_dead');
call run_jobs();
select status, attempts, deaths, error from job where subject_key = subject_key('q_dead');
select document_add('q_dead', 'I live in Lviv.', 'doc') is not null as added;
update job set status = 'running', worker = 2147483647, attempts = 1, deaths = 3 where subject_key = subject_key('q_dead') and kind = 'document';
call run_jobs();
select status, attempts, deaths, error, run_after > now() as later from job where subject_key = subject_key('q_dead') and kind = 'document';
update job set status = 'running', worker = 2147483647, attempts = 1, deaths = 9, run_after = now() where subject_key = subject_key('q_dead') and kind = 'document';
call run_jobs();
select status, attempts, deaths, error, finished_at is not null as over from job where subject_key = subject_key('q_dead') and kind = 'document';
select status, error from document where custom_id = 'doc';
select profile_status('q_dead') - '{learned_at,jobs}'::text[] as status;
select job_retry('q_dead', id) from jobs('q_dead') where kind = 'document';
call run_jobs();
select status, deaths, error from job where subject_key = subject_key('q_dead') and kind = 'document';
select status, error from document where custom_id = 'doc';

-- a job that somebody else has claimed meanwhile is not run
select learn('q_mine', 'I live in Oslo.') is not null as queued;
begin;
select key as "key", job_id from _job_claim() \gset
update job set worker = 2147483647 where id = :'job_id';
select _job_run(:'key', :'job_id');
rollback;

-- small jobs of several subjects are claimed at once, and read before anything is locked; what takes long is claimed by itself
select count(learn(subject, text)) from (values
  ('q_one', 'I like tea.'), ('q_one', 'I like jazz.'), ('q_two', 'I like opera.'), ('q_large', repeat('I like the sea. ', 100)), ('q_three', 'I like rain.')
) t (subject, text);
create function pg_temp.claimed(max_jobs integer) returns text[] language sql
as $$ select array_agg(s.external_id order by c.ordinality) from _job_claim(max_jobs) with ordinality c join subject s on s.subject_key = c.key $$;
begin;
select pg_temp.claimed(1) as one, pg_temp.claimed(8) as small, pg_temp.claimed(8) as large, pg_temp.claimed(8) as rest, pg_temp.claimed(8) as none;
rollback;
-- and so is what has taken its process down
begin;
update job set deaths = 1 where subject_key = subject_key('q_two') and status = 'queued';
select pg_temp.claimed(8) as before, pg_temp.claimed(8) as suspected;
rollback;
begin;
select array_agg(key) as keys, array_agg(job_id) as jobs from _job_claim(8) \gset
select s.external_id, r.found_in_text #>> '{memories,0,content}' as memory
from _job_read(:'keys', :'jobs') r join subject s on s.subject_key = r.key order by s.external_id;
-- what was read is what is written
select _job_run(r.key, r.job_id, jsonb_set(r.found_in_text, '{memories,0,content}', '"User likes what was read"')) from _job_read(:'keys', :'jobs') r;
select s.external_id, m.content from memory m join subject s using (subject_key) where s.external_id in ('q_one', 'q_two') order by 1;
-- of a job that somebody else has, nothing is read
update job set worker = 2147483647 where id = any (:'jobs');
select found_in_text from _job_read(:'keys', :'jobs');
rollback;
call run_jobs();

select count(profile_erase(external_id)) from subject where external_id like 'q\_%';
