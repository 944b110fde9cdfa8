-- Many memories at once. What most of them cost is paid for each statement and not for each row, and most statements about a
-- subject meet nothing that is known: they are found first, and written together.

-- Statements that are written together, at most: as long as the arrays of them stay small.
create function _write_batch() returns integer
language sql immutable parallel safe
as $$
  select 64
$$;

-- Of some statements, the places of those that meet something known: a text of their checksum, or one of the gists at that place.
-- Each look-up goes to an index by itself, and by a plan made once: as joins, or planned for the subject at hand, the planner
-- may read every memory instead, and planning takes longer than looking.
create function _places_known(key uuid, checksums text[], gists bigint[], gist_places integer[]) returns integer[]
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  return array(
    select t.place::integer
    from unnest(checksums) with ordinality t (checksum, place)
    where (select m.id from memory m
           where m.subject_key = key and _checksum(m.content) collate "C" = t.checksum and (m.superseded_at is null) is true
           limit 1) is not null
    union all
    select g.place
    from unnest(gists, gist_places) g (gist, place)
    where (select m.id from memory m
           where m.subject_key = key and _gist_key(m.gist) = g.gist and m.superseded_at is null and m.forgotten_at is null
           limit 1) is not null);
end
$$;

-- Makes the rows of memories of one subject that have no predecessor, are placed, and have their gist. Of what a row costs
-- most is paid once for each statement, and the encoder leaves nothing else in the processor's caches: so each step is done
-- for all of them before the next one. Without their vectors they are signed with room for the codes.
create function _memories_insert(key uuid, news memory[], embed boolean) returns memory[]
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project constant uuid := _project();
  config constant regconfig := _text_search_config();
  model constant smallint := case when embed then _embedding_model_id() end;
  this memory;
  meaning record;
  ids text[] := '{}';
  codes bytea[];
  vectors halfvec[];
  tokens bytea[];
  records bytea[];
  last_block bigint;
  block bigint;
  filled integer;
  blocks bigint[] := '{}';
  signatures bytea[] := '{}';
begin
  if model is not null then
    -- One by one, by a plan made once: for all of them together it would be made anew each time.
    for at in 1 .. cardinality(news) loop
      select * into meaning from _encode((news[at]).content);
      exit when not found;
      codes[at] := meaning.code;
      vectors[at] := meaning.embedding;
      tokens[at] := meaning.tokens;
    end loop;
  end if;

  select s.block, octet_length(s.signatures) into last_block, filled
  from memory_signature s where s.subject_key = key and s.part = 0 order by s.block desc limit 1;
  block := last_block;
  for at in 1 .. cardinality(news) loop
    this := _memory_completed(news[at]);
    records := _memory_records(this, model, codes[at], config);
    if filled + octet_length(records[1]) <= _signature_block_size() then
      filled := filled + octet_length(records[1]);
    else
      block := coalesce(block + 1, 0);
      filled := octet_length(records[1]);
    end if;
    if blocks[cardinality(blocks)] = block then
      signatures[cardinality(blocks)] := signatures[cardinality(blocks)] || records[1];
    else
      blocks := blocks || block;
      signatures := signatures || records[1];
    end if;
    if cardinality(records) > 1 then
      perform _memory_sign_more(this, block, records);
    end if;
    this.signature_block := block;
    ids := ids || this.id;
    news[at] := this;
  end loop;
  insert into memory_signature as s (subject_key, block, part, project_id, signatures)
  select key, b.block, 0, project, b.signatures from unnest(blocks, signatures) b (block, signatures)
  on conflict on constraint memory_signature_pkey do update set signatures = s.signatures || excluded.signatures;
  if block / _digest_blocks() > coalesce(last_block, 0) / _digest_blocks() then
    perform _memories_digest(key, _digest_at_once());
  end if;

  insert into memory select n.* from unnest(news) n;
  if codes is not null then
    insert into memory_embedding (subject_key, model_id, memory_id, project_id, code, embedding, tokens)
    select key, model, e.id, project, e.code, e.embedding, e.tokens
    from unnest(ids, codes, vectors, tokens) e (id, code, embedding, tokens);
  elsif model is not null then
    perform _embed_later(key);
  end if;
  update subject set updated_at = now() where subject_key = key and updated_at <> now();
  return news;
end
$$;

-- Remembers statements in their order, each by the rules of sql/33_consolidation.sql. Those that fill no slot and meet nothing,
-- neither what is known nor one another, are written together as long as they follow one another. What is refused is an
-- empty row.
create function _memories_write(key uuid, items jsonb[], embed boolean) returns memory[]
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  names constant text[] := _subject_names(key);
  one memory;
  news memory[] := '{}';
  texts text[] := '{}';
  checksums text[] := '{}';
  beginnings bigint[];
  gists bigint[] := '{}';
  gist_places integer[] := '{}';
  met integer[];
  together memory[] := '{}';
  unsigned text[] := '{}';
  written memory[] := '{}';
begin
  for place in 1 .. cardinality(items) loop
    one := _memory_new(key, items[place], names);
    news := news || one;
    texts := texts || one.content;
    checksums := checksums || _checksum(one.content);
    if one.gist is not null then
      beginnings := one.gist || _gists_of_beginnings(one.content, names);
      gists := gists || beginnings;
      gist_places := gist_places || array_fill(place, array[cardinality(beginnings)]);
    end if;
  end loop;
  met := _places_known(key, checksums, gists, gist_places) || _places_meeting(texts, gists, gist_places);
  for place in 1 .. cardinality(items) loop
    one := news[place];
    if one.slot is null and place <> all (met) and not items[place] ? 'derives_from' and coalesce(items[place] -> 'calls_off', 'null') = 'null' then
      together := together || one;
      continue;
    elsif cardinality(together) > 0 then
      written := written || _memories_insert(key, together, embed);
      together := '{}';
    end if;
    one := _memory_write(key, items[place], embed);
    unsigned := unsigned || one.id;
    written := written || one;
  end loop;
  if cardinality(together) > 0 then
    written := written || _memories_insert(key, together, embed);
  end if;
  if not embed and cardinality(unsigned) > 0 then
    perform _memories_sign(key, null, unsigned);
  end if;
  return written;
end
$$;

create function memories_add(subject text, memories jsonb)
returns table (id text, memory text, is_static boolean, created_at timestamptz, forget_after timestamptz, forget_reason text)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid;
  inline boolean;
  items jsonb[];
begin
  if jsonb_typeof(memories) is distinct from 'array' then
    raise invalid_parameter_value using message = 'memories must be a JSON array';
  elsif jsonb_path_exists(memories, 'strict $[*] ? (@.type() != "object")') then
    raise invalid_parameter_value using message = 'each memory must be a JSON object with "content"';
  end if;
  key := _subject_for_write(subject);
  inline := jsonb_array_length(memories) <= (project_setting('inline_embedding_limit') #>> '{}')::integer;
  for items in
    select array_agg(_memory_attributes(m.value) order by m.ordinality)
    from jsonb_array_elements(memories) with ordinality m
    group by (m.ordinality - 1) / _write_batch()
    order by (m.ordinality - 1) / _write_batch()
  loop
    return query
    select w.id, w.content, w.is_static, w.created_at, w.forget_after, w.forget_reason
    from unnest(_memories_write(key, items, inline)) w;
  end loop;
  if not inline then
    perform _embed_later(key);
  end if;
end
$$;
comment on function memories_add(text, jsonb) is
  'Remembers an array of objects with content and, optionally, is_static, metadata, kind, importance, confidence, forget_after and forget_reason; '
  'more than the setting inline_embedding_limit get their vectors from the job queue';
