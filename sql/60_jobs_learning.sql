-- Learning: what becomes of the texts of jobs. What was found in a text is applied by the same rules as what any other writer says,
-- in as many runs as it takes.

-- Memories that one run of a job writes, some tens of milliseconds of work without their vectors: as long as it holds the
-- subject's lock, other writers of the subject wait.
create function _apply_batch() returns integer
language sql immutable parallel safe
as $$
  select 64
$$;

-- What is found in the text of a job, by the model if it has read it; NULL for a job without a text, and while a long one is being
-- read aside. Reads, and locks nothing.
create function _job_extract(this job, aside boolean default false) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  source document;
begin
  if this.kind = 'learn' then
    return _extraction(this.subject_key, this.id, this.payload, this.input_type, this.created_at, this.id::text, aside);
  elsif this.kind = 'document' then
    select * into source from document d where d.subject_key = this.subject_key and d.id = this.document_id;
    if source.id is not null and source.processed_sha256 is distinct from _document_digest(source) then
      return case when source.task_type = 'memory' then
          _extraction(this.subject_key, this.id, _document_text(source), source.type, coalesce(source.document_date, source.created_at), aside => aside,
                      utc_offset => source.utc_offset)
        else '{"fields": [], "memories": []}' end
        || jsonb_build_object('digest', encode(_document_digest(source), 'hex'));
    end if;
  end if;
  return null;
end
$$;

-- Of what was found in a text, the statements that are to be encoded: not what is known already, and nothing where there is
-- so much that it is done later.
create function _texts_new(key uuid, extraction jsonb) returns text[]
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  if jsonb_array_length(extraction -> 'memories') <= (project_setting('inline_embedding_limit') #>> '{}')::integer then
    return array(
      select t.content
      from jsonb_array_elements(extraction -> 'memories') found
      cross join lateral (select found.value ->> 'content' as content, _checksum(found.value ->> 'content') as checksum offset 0) t
      where t.content <> ''
        and (select m.id from memory m
             where m.subject_key = key and _checksum(m.content) collate "C" = t.checksum and (m.superseded_at is null) is true
             limit 1) is null);
  end if;
  return '{}';
end
$$;

-- Applies what was found in a text, by the same rules as every other writer.
create function _apply_extraction(
  key uuid, extraction jsonb, job uuid, source text, source_document text, conversation text, inline boolean
) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  item jsonb;
  spec jsonb;
  written record;
  remembered memory[];
  fields_written text[] := '{}';
  fields_rejected text[] := '{}';
  memory_ids text[];
begin
  if extraction -> 'fields' <> '[]' and profile_schema_get() ->> 'extraction_mode' = 'auto' then
    for item in select value from jsonb_array_elements(extraction -> 'fields') loop
      spec := _profile_field_spec(item ->> 'key');
      if spec is not null then
        select * into written from _profile_field_write(
          key, spec, item ->> 'key', item -> 'value', _clamp_chat((item ->> 'confidence')::double precision), 'chat', job);
        if written.reason is null then
          fields_written := fields_written || (item ->> 'key');
        else
          fields_rejected := fields_rejected || (item ->> 'key');
        end if;
      end if;
    end loop;
  end if;
  remembered := _memories_write(key, array(
    select m.value || jsonb_build_object('source_type', source, 'job_id', job,
                                         'conversation_id', coalesce(m.value ->> 'conversation_id', conversation))
    from jsonb_array_elements(extraction -> 'memories') with ordinality m
    order by m.ordinality), inline);
  -- Where what is known and surer stays, nothing was written.
  memory_ids := array(select r.id from unnest(remembered) with ordinality r where r.id is not null order by r.ordinality);
  if source_document is not null then
    insert into memory_source (subject_key, memory_id, document_id, project_id)
    select key, r.id, source_document, r.project_id from unnest(remembered) r where r.id is not null
    on conflict do nothing;
  end if;
  if fields_written <> '{}' then
    perform _emit(key, 'profile.updated', jsonb_build_object(
      'subject_id', (select external_id from subject where subject_key = key),
      'fields', profile_get((select external_id from subject where subject_key = key)), 'updated_at', _iso(now())));
  end if;
  return jsonb_build_object('fields', fields_written, 'rejected', fields_rejected, 'memories', memory_ids,
                            'notes', coalesce(extraction -> 'notes', '[]'))
    || jsonb_strip_nulls(jsonb_build_object('model', extraction -> 'model', 'tokens', extraction -> 'tokens'));
end
$$;

-- Applies the next memories of an extraction, with the first of them the fields as well, and adds what became of them to
-- the job's result; more says whether there are others left. Where there are many, their vectors are made later.
create function _apply_next(this job, extraction jsonb, source_type text, source_document text default null, conversation text default null)
returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  memories constant jsonb := extraction -> 'memories';
  inline constant boolean := jsonb_array_length(memories) <= (project_setting('inline_embedding_limit') #>> '{}')::integer;
  more constant boolean := jsonb_array_length(memories) > this.applied + _apply_batch();
  part jsonb := extraction;
  outcome jsonb;
begin
  if more or this.applied > 0 then
    part := extraction || jsonb_build_object(
      'fields', case this.applied when 0 then extraction -> 'fields' else '[]' end,
      'memories', (select coalesce(jsonb_agg(m.value order by m.ordinality), '[]') from jsonb_array_elements(memories) with ordinality m
                   where m.ordinality > this.applied and m.ordinality <= this.applied + _apply_batch()));
  end if;
  outcome := _apply_extraction(this.subject_key, part, this.id, source_type, source_document, conversation, inline);
  if not inline and not more then
    perform _embed_later(this.subject_key);
  end if;
  return coalesce(this.result, '{}') || outcome || jsonb_build_object(
    'fields', coalesce(this.result -> 'fields', '[]') || (outcome -> 'fields'),
    'rejected', coalesce(this.result -> 'rejected', '[]') || (outcome -> 'rejected'),
    'memories', coalesce(this.result -> 'memories', '[]') || (outcome -> 'memories'),
    'more', more);
end
$$;

-- Brings what was drawn from a document in line with it, in as many runs as it takes: its chunks first, then the memories that
-- were found in it, and in the end those that it does not support any more are forgotten.
create function _document_process(this job, extraction jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := this.subject_key;
  at_once constant integer := (project_setting('inline_embedding_limit') #>> '{}')::integer;
  this_document document;
  chunked record;
  outcome jsonb;
  lacking jsonb;
begin
  select * into this_document from document d where d.subject_key = key and d.id = this.document_id for update;
  if not found then
    return coalesce(this.result, '{}') || jsonb_build_object('notes', jsonb_build_array('the document was deleted before it was processed'));
  elsif extraction is null then
    update document d set status = case when _awaits_embedding(d) then 'embedding' else 'done' end, error = null
    where d.subject_key = key and d.id = this_document.id and d.status in ('queued', 'extracting');
    return jsonb_build_object('notes', jsonb_build_array('nothing has changed since the document was last processed'));
  elsif extraction ->> 'digest' <> encode(_document_digest(this_document), 'hex') then
    -- Whoever changed it has queued a job.
    return coalesce(this.result, '{}') || jsonb_build_object('notes', jsonb_build_array('the document was changed before it was processed'));
  end if;
  if this.applied = 0 then
    select c.chunks, c.more into chunked
    from _document_chunk(key, this_document, case when this.result ? 'chunking' then (this.result ->> 'chunks')::integer else 0 end) c;
    this.result := jsonb_build_object('chunks', chunked.chunks);
    if chunked.more then
      return this.result || '{"chunking": true, "more": true}';
    end if;
  end if;
  outcome := this.result;
  if this_document.task_type = 'memory' then
    outcome := _apply_next(this, extraction, 'document', this_document.id, case this_document.type when 'conversation' then this_document.custom_id end);
    if (outcome ->> 'more')::boolean then
      return outcome;
    end if;
    if _forget_unsupported(key, this_document.id, array(select jsonb_array_elements_text(outcome -> 'memories')), this.id,
                           'source document changed', _apply_batch()) >= _apply_batch() then
      return outcome || '{"more": true}';
    end if;
  end if;
  lacking := _embed_next(key, 0, at_once);
  perform _embed(key, lacking);
  if (lacking ->> 'chunks')::integer >= at_once or _embeds_remotely() then
    perform _embed_later(key);
  end if;
  update document d
  set status = case when _awaits_embedding(d) then 'embedding' else 'done' end, error = null, updated_at = now(),
      processed_sha256 = _document_digest(this_document),
      title = coalesce(d.title, _document_title(d.content)), summary = _document_summary(d.content)
  where d.subject_key = key and d.id = this_document.id;
  if this_document.type = 'conversation' then
    update message m set processed = true
    where m.subject_key = key and m.conversation_id = this_document.custom_id and not m.processed;
  end if;
  return outcome;
end
$$;
