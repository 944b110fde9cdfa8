-- What embed jobs write: vectors, and signatures only where a vector's code is not in its place.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
select _embedding_model_id() as model \gset
set memory_profile.embedding_model = '';
select count(*) from memories_add('ej', (select jsonb_agg(jsonb_build_object('content', 'Ann likes the number ' || n)) from generate_series(1, 200) n));
select document_add('ej', E'# Notes\n\nAnn likes the number zero.', 'notes') is not null as added;
call run_jobs();
reset memory_profile.embedding_model;
-- two texts that a remote model would not take
insert into embedding_refusal (subject_key, model_id, text_id, project_id, digest, reason)
select m.subject_key, :model, m.id, m.project_id, md5(m.content), 'refused' from memory m where m.subject_key = subject_key('ej') and m.content like '% 7';
insert into embedding_refusal (subject_key, model_id, text_id, project_id, digest, reason)
select c.subject_key, :model, c.id, c.project_id, md5(c.content), 'refused' from chunk c where c.subject_key = subject_key('ej') limit 1;
create procedure pg_temp.embed() language plpgsql as $$
begin
  perform memory_profile._embed_later(memory_profile.subject_key('ej'));
  commit;
  call memory_profile.run_jobs();
end
$$;
call pg_temp.embed();
select (select count(*) from memory_embedding e where e.subject_key = subject_key('ej')) as memories,
       (select count(*) from memory_signature s cross join unnest(_signatures_lacking(s.signatures, :model::smallint)) where s.subject_key = subject_key('ej')) as lacking;

-- the next job finds everything in its place
create temporary table before as
  select 'memory' as of, s.block, s.ctid as place from memory_signature s where s.subject_key = subject_key('ej')
  union all select s.document_id, s.block, s.ctid from chunk_signature s where s.subject_key = subject_key('ej');
call pg_temp.embed();
select status, error from jobs('ej') where kind = 'embed' order by created_at;
select count(*) as written_anew from before b where not exists (
  select from memory_signature s where s.subject_key = subject_key('ej') and b.of = 'memory' and s.ctid = b.place
  union all select from chunk_signature s where s.subject_key = subject_key('ej') and s.document_id = b.of and s.ctid = b.place);

-- a code that is not in its place is put there
select _memories_sign(subject_key('ej'), 9999::smallint) as signed;
select count(*) as lacking from memory_signature s cross join unnest(_signatures_lacking(s.signatures, :model::smallint)) where s.subject_key = subject_key('ej');
call pg_temp.embed();
select count(*) as lacking from memory_signature s cross join unnest(_signatures_lacking(s.signatures, :model::smallint)) where s.subject_key = subject_key('ej');

-- nor is the digest of a large subject made anew for a text that is to have no vector
select _memories_digest(subject_key('ej'), null, 1, 1);
select count(*) > 0 as digests, sum(texts) - sum(coded) as without from memory_digest where subject_key = subject_key('ej');
create temporary table digest_before as select first_block, ctid as place from memory_digest where subject_key = subject_key('ej');
call pg_temp.embed();
select count(*) as made_anew from digest_before b where not exists (select from memory_digest d where d.subject_key = subject_key('ej') and d.ctid = b.place);
select profile_erase('ej') is not null as erased;
