-- Vectors of texts that are there: which texts lack one, and where one goes that a model has given. Whoever asks a model, the
-- built-in one under the hand or a remote one in another process, finds and keeps by these rules.

-- Memories of a subject that have no vector of a model and are not known to be refused, block by block from this one on: so
-- that none is written more often than it must be.
create function _memories_lacking(key uuid, model smallint, max_count integer, first_block bigint default 0)
returns table (block bigint, id text, digest text, content text)
language plpgsql stable rows 100
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return query
  select s.block, m.id, md5(m.content), m.content
  from memory_signature s
  cross join lateral unnest(_signatures_lacking(s.signatures, model)) lacking (id)
  join memory m on m.subject_key = key and m.id = lacking.id
  where s.subject_key = key and s.block >= first_block and s.part = 0 and m.superseded_at is null
    -- One look-up by the whole key for each memory. As "not exists" it would be a join, and of a subject that is being
    -- filled the planner knows so little that it compares every memory with every vector.
    and (select e.memory_id from memory_embedding e
         where e.subject_key = key and e.model_id = model and e.memory_id = lacking.id) is null
    and (select r.text_id from embedding_refusal r
         where r.subject_key = key and r.model_id = model and r.text_id = lacking.id and r.digest = md5(m.content)) is null
  order by s.block
  limit max_count;
end
$$;

-- The same of chunks, document by document.
create function _chunks_lacking(key uuid, model smallint, max_count integer)
returns table (id text, digest text, content text)
language plpgsql stable rows 100
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return query
  select c.id, md5(c.content), c.content
  from chunk_signature s
  cross join lateral unnest(_signatures_lacking(s.signatures, model)) lacking (id)
  join chunk c on c.subject_key = key and c.id = lacking.id
  where s.subject_key = key
    and (select e.chunk_id from chunk_embedding e
         where e.subject_key = key and e.model_id = model and e.chunk_id = lacking.id) is null
    and (select r.text_id from embedding_refusal r
         where r.subject_key = key and r.model_id = model and r.text_id = lacking.id and r.digest = md5(c.content)) is null
  order by s.document_id, s.block
  limit max_count;
end
$$;

-- Both, memories first.
create function _texts_lacking(key uuid, model smallint, max_count integer)
returns table (id text, is_chunk boolean, digest text, content text)
language plpgsql stable rows 100
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  missing integer;
begin
  return query select l.id, false, l.digest, l.content from _memories_lacking(key, model, max_count) l;
  get diagnostics missing = row_count;
  return query select l.id, true, l.digest, l.content from _chunks_lacking(key, model, max_count - missing) l;
end
$$;

-- Keeps vectors of texts of a subject whose lock the caller has, and puts their codes where a search reads them. A text that
-- has changed or gone since it was read, which its digest tells, goes without.
create function _vectors_keep(
  key uuid, model smallint, ids text[], are_chunks boolean[], digests text[], codes bytea[], vectors halfvec[], tokens bytea[],
  out memories integer, out chunks integer
)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  -- Joins by the whole key, and "offset 0" keeps them so: see _memories_sign().
  with given as materialized (
    select key as subject_key, g.* from unnest(ids, are_chunks, digests, codes, vectors, tokens) g (id, is_chunk, digest, code, embedding, tokens)
  ), embedded as (
    insert into memory_embedding (subject_key, model_id, memory_id, project_id, code, embedding, tokens)
    select key, model, g.id, m.project_id, g.code, g.embedding, g.tokens
    from (select * from given where not is_chunk offset 0) g
    join memory m using (subject_key, id)
    where md5(m.content) = g.digest and m.superseded_at is null and g.code is not null
    on conflict do nothing
    returning memory_id, code
  ), coded as (
    update memory_signature s set signatures = _signatures_coded(s.signatures, b.ids, model, b.codes)
    from (select m.signature_block as block, array_agg(m.id) as ids, array_agg(e.code) as codes
          from (select key as subject_key, memory_id as id, code from embedded offset 0) e join memory m using (subject_key, id)
          group by m.signature_block) b
    where s.subject_key = key and s.block = b.block and s.part = 0
  )
  select count(*) into memories from embedded;
  with given as materialized (
    select key as subject_key, g.* from unnest(ids, are_chunks, digests, codes, vectors, tokens) g (id, is_chunk, digest, code, embedding, tokens)
  ), embedded as (
    insert into chunk_embedding (subject_key, model_id, chunk_id, project_id, code, embedding, tokens)
    select key, model, g.id, c.project_id, g.code, g.embedding, g.tokens
    from (select * from given where is_chunk offset 0) g
    join chunk c using (subject_key, id)
    where md5(c.content) = g.digest and g.code is not null
    on conflict do nothing
    returning chunk_id, code
  ), coded as (
    update chunk_signature s set signatures = _signatures_coded(s.signatures, b.ids, model, b.codes)
    from (select c.document_id, array_agg(c.id) as ids, array_agg(e.code) as codes
          from (select key as subject_key, chunk_id as id, code from embedded offset 0) e join chunk c using (subject_key, id)
          group by c.document_id) b
    where s.subject_key = key and s.document_id = b.document_id
      -- Most blocks of a long document have none of these chunks.
      and s.signatures <> _signatures_coded(s.signatures, b.ids, model, b.codes)
  )
  select count(*) into chunks from embedded;
end
$$;

-- Texts of a subject that are to get vectors of the built-in model, as _embed() takes them: memories, or where there are fewer, chunks as
-- well. NULL where no model is installed, and where a remote one is asked by another process.
create function _embed_next(key uuid, max_memories integer, max_chunks integer, first_block bigint default 0) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := case when not _embeds_remotely() then _embedding_model_id() end;
begin
  if model is null then
    return null;
  end if;
  return (
    with memories as materialized (
      select * from _memories_lacking(key, model, max_memories, first_block)
    ), texts as (
      select block, id, false as is_chunk, digest, content from memories
      union all
      select null, c.id, true, c.digest, c.content
      from _chunks_lacking(key, model, case when (select count(*) from memories) < max_memories or max_memories = 0 then max_chunks else 0 end) c
    )
    select jsonb_build_object(
      'model', model, 'block', coalesce(max(block), first_block),
      'memories', count(*) filter (where not is_chunk), 'chunks', count(*) filter (where is_chunk),
      'ids', coalesce(jsonb_agg(id), '[]'), 'are_chunks', coalesce(jsonb_agg(is_chunk), '[]'),
      'digests', coalesce(jsonb_agg(digest), '[]'), 'contents', coalesce(jsonb_agg(content), '[]'))
    from texts);
end
$$;

-- Gives them their vectors, under the subject's lock.
create function _embed(key uuid, these jsonb, out memories integer, out chunks integer)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  contents constant text[] := array(select jsonb_array_elements_text(these -> 'contents'));
  meaning record;
  codes bytea[];
  vectors halfvec[];
  tokens bytea[];
begin
  for at in 1 .. cardinality(contents) loop
    select * into meaning from _encode(contents[at]);
    codes[at] := meaning.code;
    vectors[at] := meaning.embedding;
    tokens[at] := meaning.tokens;
  end loop;
  select k.memories, k.chunks into memories, chunks
  from _vectors_keep(
    key, (these ->> 'model')::smallint, array(select jsonb_array_elements_text(these -> 'ids')),
    array(select value::boolean from jsonb_array_elements(these -> 'are_chunks')),
    array(select jsonb_array_elements_text(these -> 'digests')), codes, vectors, tokens) k;
end
$$;

-- Gives vectors to all texts of a subject that lack one; for few of them.
create function _embed_all(key uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  these jsonb;
begin
  loop
    these := _embed_next(key, 64, 64, coalesce((these ->> 'block')::bigint, 0));
    exit when these is null or these -> 'ids' = '[]';
    perform _embed(key, these);
  end loop;
end
$$;
