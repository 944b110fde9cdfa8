-- Large documents and long texts in the queue: they are brought in line in small runs, between which others have their turn.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

-- Paragraphs of which each is a passage, numbered from one to another.
create function pg_temp.book(first integer, last integer) returns text language sql
as $$ select string_agg(format('Paragraph %s. ', i) || repeat(format('The river %s runs past the mill of %s. ', i % 7, i), 8), E'\n\n' order by i)
      from generate_series(first, last) i $$;
-- How far the job of a document is.
create function pg_temp.progress(subject text) returns table (status text, result jsonb, applied integer, document text, chunks bigint) language sql
as $$ select j.status, j.result - 'memories', j.applied, d.status, (select count(*) from chunk c where c.subject_key = j.subject_key)
      from job j join document d on d.subject_key = j.subject_key and d.id = j.document_id
      where j.subject_key = subject_key(subject) order by j.sequence desc limit 1 $$;
-- Whether what a search reads of a subject's chunks is what is read of them when they are all signed at once.
create function pg_temp.is_signed(subject text) returns boolean language plpgsql
as $$
declare
  key constant uuid := subject_key(subject);
  ids text[];
  whole text[];
begin
  ids := array(select l from chunk_signature s, unnest(_signatures_lacking(s.signatures, 1::smallint)) l where s.subject_key = key order by l);
  perform _document_sign(d, null) from document d where d.subject_key = key;
  whole := array(select l from chunk_signature s, unnest(_signatures_lacking(s.signatures, 1::smallint)) l where s.subject_key = key order by l);
  return ids = whole and cardinality(ids) = (select count(*) from chunk c where c.subject_key = key);
end
$$;

-- a small job that comes while a large document is being chunked is done before it
select document_add('qd_book', pg_temp.book(1, 700), 'book', task_type => 'superrag') is not null as added;
call run_jobs(1);
select * from pg_temp.progress('qd_book');
select profile_status('qd_book') ->> 'status' as status, document_status('qd_book', 'book') ->> 'chunks' as chunks;
select learn('qd_note', 'I live in Bern.') is not null as queued;
call run_jobs(1);
select external_id, status from jobs() where external_id like 'qd\_%' order by 1;
select * from pg_temp.progress('qd_book');
-- what is there of it is found
select count(*) from chunk_signature where subject_key = subject_key('qd_book') having count(*) > 0;
call run_jobs(1);
select * from pg_temp.progress('qd_book');
call run_jobs();
select * from pg_temp.progress('qd_book');
select pg_temp.is_signed('qd_book');

-- a document that is changed between its runs is what it was changed to, as if it had been so from the beginning
select document_add('qd_book', pg_temp.book(300, 1200), 'book', task_type => 'superrag') is not null as changed;
call run_jobs(2);
select * from pg_temp.progress('qd_book');
select document_add('qd_book', pg_temp.book(100, 500) || E'\n\n' || pg_temp.book(700, 900), 'book', task_type => 'superrag') is not null as changed;
call run_jobs();
select * from pg_temp.progress('qd_book');
select document_add('qd_copy', pg_temp.book(100, 500) || E'\n\n' || pg_temp.book(700, 900), task_type => 'superrag') is not null as added;
call run_jobs();
select count(*) filter (where a.content = b.content and a.heading is not distinct from b.heading) = count(*) as alike
from (select * from chunk where subject_key = subject_key('qd_book')) a
full join (select * from chunk where subject_key = subject_key('qd_copy')) b using (position);
select pg_temp.is_signed('qd_book'), pg_temp.is_signed('qd_copy');

-- passages that move over many runs keep their vectors, whichever way they move
begin;
insert into embedding_model (name, dimension) values ('queue-documents', 2);
insert into chunk_embedding (subject_key, model_id, chunk_id, project_id, code, embedding, tokens)
select c.subject_key, m.id, c.id, c.project_id, '\x0000000000', '[1,2]', sha256(convert_to(c.content, 'UTF8'))
from chunk c, embedding_model m where c.subject_key = subject_key('qd_copy') and m.name = 'queue-documents';
create function pg_temp.kept() returns table (chunks bigint, with_vector bigint, right_one boolean) language sql
as $$ select count(*), count(e.chunk_id), bool_and(e.tokens = sha256(convert_to(c.content, 'UTF8')))
      from chunk c left join chunk_embedding e on e.subject_key = c.subject_key and e.chunk_id = c.id where c.subject_key = subject_key('qd_copy') $$;
select * from pg_temp.kept();
create function pg_temp.rewrite(content text) returns void language plpgsql
as $$
declare
  claimed record;
begin
  perform document_add('qd_copy', content, (select custom_id from document where subject_key = subject_key('qd_copy')), task_type => 'superrag');
  loop
    select * into claimed from _job_claim();
    exit when claimed.job_id is null;
    perform _job_run(claimed.key, claimed.job_id);
  end loop;
end
$$;
update document set custom_id = 'copy' where subject_key = subject_key('qd_copy');
select _job_worker_begin();
select pg_temp.rewrite(pg_temp.book(2000, 2300) || E'\n\n' || pg_temp.book(100, 500) || E'\n\n' || pg_temp.book(700, 900));
select * from pg_temp.kept();
select pg_temp.rewrite(pg_temp.book(150, 500) || E'\n\n' || pg_temp.book(700, 900));
select * from pg_temp.kept();
select pg_temp.rewrite(pg_temp.book(700, 900) || E'\n\n' || pg_temp.book(150, 500));
select * from pg_temp.kept();
select count(*) - (select count(*) from chunk where subject_key = subject_key('qd_copy')) as left_over
from chunk_embedding where subject_key = subject_key('qd_copy');
select _job_worker_end();
rollback;

-- what a document does not support any more is forgotten in runs
select document_add('qd_diary', string_agg(format('I have been to the village number %s.', i), ' '), 'diary') is not null as added from generate_series(1, 150) i;
call run_jobs();
select count(*) from memory where subject_key = subject_key('qd_diary') and forgotten_at is null;
select document_add('qd_diary', 'I live in Riga.', 'diary') is not null as changed;
call run_jobs(1);
select status, document from pg_temp.progress('qd_diary');
select count(*) filter (where forgotten_at is null) as current, count(*) filter (where forgotten_at is not null) as forgotten
from memory where subject_key = subject_key('qd_diary');
select learn('qd_note', 'I like tea.') is not null as queued;
call run_jobs(1);
select external_id, kind, status from jobs() where status = 'queued' and external_id like 'qd\_%';
call run_jobs();
select status, document from pg_temp.progress('qd_diary');
select content from memory where subject_key = subject_key('qd_diary') and forgotten_at is null;

-- a long text is read aside: whoever asks again gets what is found in it otherwise, and of another text nothing yet
create temp table long as select string_agg(format('I have been to the village number %s.', i), ' ') as text from generate_series(1, 2000) i;
select octet_length(text) >= _long_text() as long from long;
create function pg_temp.read_aside(text text) returns jsonb language plpgsql
as $$
declare
  found jsonb;
begin
  loop
    found := _extract(text, 'text', '2024-05-01', '[]', '{}', null, null, true);
    exit when found is not null;
    perform pg_sleep(0.01);
  end loop;
  return found;
end
$$;
select _extract(text, 'text', '2024-05-01', '[]', '{}', null, null, true) is null as not_yet from long;
select pg_temp.read_aside(text) = _extract(text, 'text', '2024-05-01', '[]', '{}', null, null) as same from long;
select _extract(text, 'text', '2024-05-01', '[]', '{}', null, null, true) is null as anew from long;
select _extract(text || ' I live in Bern.', 'text', '2024-05-01', '[]', '{}', null, null, true) is null as another from long;
select jsonb_array_length(pg_temp.read_aside(text) -> 'memories') > 0 as found from long;
select _extract('I live in Bern.', 'text', '2024-05-01', '[]', '{}', null, null, true) #>> '{memories,0,content}' as short;

-- who reads one claims no other that has yet to be read, and gives back what it will not run
select count(learn(subject, data)) from long cross join lateral (values ('qd_one', text), ('qd_two', text), ('qd_three', 'I like rain.')) t (subject, data);
begin;
select _job_worker_begin();
select s.external_id from _job_claim(8) c join subject s on s.subject_key = c.key;
select s.external_id from _job_claim(8, true) c join subject s on s.subject_key = c.key;
select s.external_id from _job_claim(8, true) c join subject s on s.subject_key = c.key;
select found_in_text is null as not_yet from job j, _job_read(array[j.subject_key], array[j.id], true) where j.subject_key = subject_key('qd_one');
select _job_release();
select s.external_id, j.status, j.attempts, j.worker from job j join subject s using (subject_key) where s.external_id in ('qd_one', 'qd_two', 'qd_three') order by 1;
select _job_worker_end();
rollback;
select count(profile_erase(external_id)) from subject where external_id like 'qd\_%';
