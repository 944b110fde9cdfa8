-- Embed jobs: texts that got no vector when they were written get it here, a batch in each run.

-- Memories that one run of an embed job gives vectors to, under half a second of work: as long as it takes, the jobs of others
-- wait where one process runs them all. Writers of the subject do not: the texts are encoded before its lock is taken.
create function _embed_batch() returns integer
language sql immutable parallel safe
as $$
  select 64
$$;

-- The same for passages of documents, which are as long as several memories: a large document must not hold up small ones.
create function _embed_chunk_batch() returns integer
language sql immutable parallel safe
as $$
  select 16
$$;

-- Sees to it that the texts of a subject without a vector get one. An open job will see them: it waits for the subject's
-- lock, which the caller holds.
create function _embed_later(key uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if not exists (select from job j where j.subject_key = key and j.status in ('queued', 'running') and j.kind = 'embed') then
    perform _job_enqueue(key, 'embed', null);
  end if;
end
$$;

-- The texts that the next run of an embed job gives vectors to: it goes on where the one before it ended.
create function _embed_due(key uuid, earlier jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return _embed_next(key, _embed_batch(), _embed_chunk_batch(), coalesce((earlier ->> 'block')::bigint, 0));
end
$$;

-- Gives vectors to a batch of texts; counts go on from the run before, and more says whether there are others left.
create function _embed_some(key uuid, earlier jsonb, due jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
  embedded record;
  all_that_fit boolean;
  more boolean;
begin
  due := coalesce(due, _embed_due(key, earlier));
  embedded := _embed(key, due);
  all_that_fit := coalesce((due ->> 'memories')::integer >= _embed_batch() or (due ->> 'chunks')::integer >= _embed_chunk_batch(), false);
  -- Whether something has come to lack one before the place where this run began is seen by a last one, from the beginning.
  more := all_that_fit or coalesce((earlier ->> 'block')::bigint > 0, false);
  -- The codes of a model of another dimension do not fit where the former ones are. A text without a vector has none to be put there.
  if not more then
    if exists (
      select from memory_signature s
      cross join lateral unnest(_signatures_lacking(s.signatures, model)) lacking (id)
      where s.subject_key = key and s.part = 0
        and (select e.memory_id from memory_embedding e
             where e.subject_key = key and e.model_id = model and e.memory_id = lacking.id) is not null)
    then
      perform _memories_sign(key, model);
    else
      perform _memories_digest_coded(key, model);
    end if;
    perform _document_sign(d, model)
    from document d
    where d.subject_key = key
      and exists (select from chunk_signature s
                  cross join lateral unnest(_signatures_lacking(s.signatures, model)) lacking (id)
                  where s.subject_key = key and s.document_id = d.id
                    and (select e.chunk_id from chunk_embedding e
                         where e.subject_key = key and e.model_id = model and e.chunk_id = lacking.id) is not null);
  end if;
  update document d set status = 'done' where d.subject_key = key and d.status = 'embedding' and not _awaits_embedding(d);
  -- What was written after the remote model had been asked about all there was.
  if _embeds_remotely() and exists (select from _texts_lacking(key, model, 1)) then
    perform _job_enqueue(key, 'embed', null);
  end if;
  return coalesce(earlier, '{}') - 'block' || jsonb_build_object(
    'memories', coalesce(embedded.memories, 0) + coalesce((earlier ->> 'memories')::integer, 0),
    'chunks', coalesce(embedded.chunks, 0) + coalesce((earlier ->> 'chunks')::integer, 0),
    'more', more)
    || case when all_that_fit then jsonb_build_object('block', due -> 'block') else '{}' end;
end
$$;

create function embeddings_refresh() returns bigint
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model smallint := _embedding_model_id();
  queued bigint;
begin
  if model is null then
    raise object_not_in_prerequisite_state using
      message = 'no embedding model is installed',
      hint = 'Install a packed model and set memory_profile.embedding_model.';
  end if;
  delete from embedding_refusal r where r.project_id = _project() and r.model_id = model;
  select count(_job_enqueue(s.subject_key, 'embed', null)) into queued
  from subject s
  where s.project_id = _project()
    and (exists (select from memory m
                 where m.subject_key = s.subject_key and m.superseded_at is null
                   and not exists (select from memory_embedding e
                                   where e.subject_key = m.subject_key and e.model_id = model and e.memory_id = m.id))
         or exists (select from chunk c
                    where c.subject_key = s.subject_key
                      and not exists (select from chunk_embedding e where e.subject_key = c.subject_key and e.model_id = model
                                      and e.chunk_id = c.id))
         or exists (select from memory_signature g where g.subject_key = s.subject_key and _signatures_lack(g.signatures, model))
         or exists (select from chunk_signature g where g.subject_key = s.subject_key and _signatures_lack(g.signatures, model)));
  return queued;
end
$$;
comment on function embeddings_refresh() is
  'Queues a job for every subject of the project with texts that have no vector of the current embedding model, and returns how many: after a change of model';
