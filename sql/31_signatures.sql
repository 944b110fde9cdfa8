-- Signatures and vectors: what a search reads of every memory, written with it.

-- What follows is called for every text that is written, so it is PL/pgSQL: an SQL function with a SET clause is not
-- inlined, and PostgreSQL before 18 plans it anew for every statement that calls it. Where all names are in full there is no
-- SET clause, which costs more than such a function itself.

create function _text_search_config() returns regconfig
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return (project_setting('text_search_config') #>> '{}')::regconfig;
end
$$;

create function _microseconds(moment timestamptz) returns bigint
language sql stable parallel safe
as $$
  select (extract(epoch from moment) * 1000000)::bigint
$$;

create function _day(moment timestamptz) returns integer
language sql immutable parallel safe
as $$
  select (moment at time zone 'UTC')::date - date '1970-01-01'
$$;

-- The records that a search reads of a memory, the first of which describes it.
create function _memory_records(m memory, model smallint, code bytea, config regconfig default _text_search_config()) returns bytea[]
language plpgsql stable
as $$
begin
  return memory_profile._signature(
    m.id, m.content, to_tsvector(config, m.content)::text, m.importance, m.speaker, m.conversation_id, m.sequence,
    memory_profile._day(m.event_date), m.ordinal, memory_profile._microseconds(m.updated_at), memory_profile._microseconds(m.forget_after),
    m.forgotten_at is not null, model, code, m.heard);
end
$$;

-- Writes those records of a memory that its block itself does not take.
create function _memory_sign_more(m memory, in_block bigint, records bytea[]) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  insert into memory_signature (subject_key, block, part, project_id, signatures)
  select m.subject_key, in_block, coalesce(max(s.part), 0) + nth, m.project_id, records[nth + 1]
  from generate_series(1, cardinality(records) - 1) nth
  left join memory_signature s on s.subject_key = m.subject_key and s.block = in_block
  group by nth;
end
$$;

-- Signs a new memory in the last block of its subject, or in a new one, and returns the number of the block.
create function _memory_sign(m memory, model smallint, code bytea) returns bigint
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  records constant bytea[] := _memory_records(m, model, code);
  last memory_signature;
begin
  select * into last from memory_signature s where s.subject_key = m.subject_key and s.part = 0 order by s.block desc limit 1;
  if octet_length(last.signatures) + octet_length(records[1]) <= _signature_block_size() then
    update memory_signature s set signatures = s.signatures || records[1]
    where s.subject_key = m.subject_key and s.block = last.block and s.part = 0;
  else
    last.block := coalesce(last.block + 1, 0);
    insert into memory_signature (subject_key, block, part, project_id, signatures)
    values (m.subject_key, last.block, 0, m.project_id, records[1]);
    if last.block > 0 and last.block % _digest_blocks() = 0 then
      perform _memories_digest(m.subject_key, _digest_at_once());
    end if;
  end if;
  if cardinality(records) > 1 then
    perform _memory_sign_more(m, last.block, records);
  end if;
  return last.block;
end
$$;

-- What a search does not read any more: the records of a memory, and its vectors.
create function _memory_unsign(m memory) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  update memory_signature s set signatures = rest.signatures
  from (select b.part, _signatures_without(b.signatures, array[m.id]) as signatures
        from memory_signature b where b.subject_key = m.subject_key and b.block = m.signature_block) rest
  where s.subject_key = m.subject_key and s.block = m.signature_block and s.part = rest.part and s.signatures <> rest.signatures;
  delete from memory_signature s
  where s.subject_key = m.subject_key and s.block = m.signature_block and s.part > 0 and s.signatures = '';
  delete from memory_embedding e where e.subject_key = m.subject_key and e.memory_id = m.id;
  perform _memory_digest_changed(m.subject_key, m.signature_block);
end
$$;

create function _memory_changed() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if new.superseded_at is not null then
    perform _memory_unsign(new);
  else
    update memory_signature s
    set signatures = _signatures_revised(s.signatures, new.id, new.importance, _microseconds(new.updated_at),
                                         _microseconds(new.forget_after), new.forgotten_at is not null)
    where s.subject_key = new.subject_key and s.block = new.signature_block and s.part = 0;
    if (old.forgotten_at is null) <> (new.forgotten_at is null) then
      perform _memory_digest_changed(new.subject_key, new.signature_block);
    end if;
  end if;
  return null;
end
$$;

-- Whatever changes a memory, its signature follows; an earlier version is not searched, so it needs neither that nor a
-- vector. A new memory is signed by whoever inserts it, so that the rows of a dump, which bring their signatures along,
-- are not signed again.
create trigger memory_changed
after update of superseded_at, forgotten_at, forget_after, importance, updated_at on memory for each row
when ((old.superseded_at, old.forgotten_at, old.forget_after, old.importance, old.updated_at) is distinct from
      (new.superseded_at, new.forgotten_at, new.forget_after, new.importance, new.updated_at))
execute function _memory_changed();

-- Writes the signatures of a subject anew, packed, with the codes of one embedding model, or only those of some new
-- memories, behind the others; returns how many. A session without a model keeps the codes of the last one.
create function _memories_sign(key uuid, model smallint, new_ids text[] default null) returns bigint
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  config constant regconfig := _text_search_config();
  first_block bigint := 0;
  last_block bigint;
  signed bigint;
begin
  model := coalesce(model, (
    select max(m.id) from embedding_model m
    where (select e.model_id from memory_embedding e where e.subject_key = key and e.model_id = m.id limit 1) is not null));
  if new_ids is null then
    delete from memory_signature s where s.subject_key = key;
    delete from memory_digest d where d.subject_key = key;
    new_ids := array(select m.id from memory m where m.subject_key = key and m.superseded_at is null);
  else
    first_block := coalesce((select s.block + 1 from memory_signature s where s.subject_key = key order by s.block desc limit 1), 0);
    new_ids := array(
      select m.id from (select key as subject_key, n.id from unnest(new_ids) n (id) offset 0) n join memory m using (subject_key, id)
      where m.superseded_at is null and m.signature_block < 0);
  end if;
  -- Every join is by the whole key, and "offset 0" and "materialized" keep it so: of a subject that was not there when
  -- statistics were made the planner expects one row, would read all the others for each, and join them one by one.
  with wanted as materialized (
    select key as subject_key, model as model_id, n.id from unnest(new_ids) n (id)
  ), signed as materialized (
    select row_number() over (order by m.ordinal, m.id) as place, m.subject_key, m.id, m.project_id,
           _memory_records(m, model, e.code, config) as records
    from wanted w
    join memory m using (subject_key, id)
    left join memory_embedding e on e.subject_key = w.subject_key and e.model_id = w.model_id and e.memory_id = w.id
  ), blocks as materialized (
    select _signature_blocks(array_agg(records[1] order by place)) as of_places from signed
  ), packed as materialized (
    select first_block + (select of_places from blocks)[place] as block, signed.* from signed
  ), described as (
    insert into memory_signature (subject_key, block, part, project_id, signatures)
    select key, block, 0, project_id, string_agg(records[1], '' order by place) from packed group by block, project_id order by block
  ), continued as (
    insert into memory_signature (subject_key, block, part, project_id, signatures)
    select key, block, row_number() over (partition by block order by place, nth), project_id, records[nth]
    from packed cross join lateral generate_series(2, cardinality(records)) nth
  ), placed as (
    update memory m set signature_block = packed.block
    from packed
    where m.subject_key = packed.subject_key and m.id = packed.id and m.signature_block <> packed.block
  )
  select count(*), max(block) into signed, last_block from packed;
  if last_block / _digest_blocks() > greatest(first_block - 1, 0) / _digest_blocks() then
    perform _memories_digest(key, case when first_block > 0 then _digest_at_once() end);
  end if;
  return signed;
end
$$;

-- Whether the session's embedding model is a remote one, which gives vectors after commit.
create function _embeds_remotely() returns boolean
language sql stable
as $$
  select memory_profile._embeddings_endpoint() is not null
$$;

-- The row of the session's embedding model, or NULL when none is installed. The first write with a model registers it.
create function _embedding_model_id() returns smallint
language plpgsql security definer
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model record;
  known embedding_model;
begin
  select * into model from _embedding_model();
  if model.name is null then
    return null;
  end if;
  select * into known from embedding_model m where m.name = model.name;
  if not found then
    insert into embedding_model (name, dimension, sha256) values (model.name, model.dimension, model.sha256)
    on conflict (name) do nothing;
    select * into known from embedding_model m where m.name = model.name;
  end if;
  if known.sha256 is null and model.sha256 is null and known.dimension <> model.dimension then
    raise object_not_in_prerequisite_state using
      message = format('the dimension of embedding model "%s" has changed', model.name),
      detail = format('This database holds its vectors of %s dimensions, and memory_profile.embeddings_dimensions is %s.', known.dimension, model.dimension),
      hint = 'Set memory_profile.embeddings_dimensions back, or delete the vectors and the row of the model.';
  elsif known.sha256 is distinct from model.sha256 then
    raise object_not_in_prerequisite_state using
      message = format('the checkpoint of embedding model "%s" has changed', model.name),
      detail = 'This database holds vectors of another checkpoint under that name; they are not comparable.',
      hint = 'Put the former checkpoint back, or pack the new one under another name and set memory_profile.embedding_model.';
  end if;
  return known.id;
end
$$;
