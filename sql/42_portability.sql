-- Portability: everything about a subject in one document, back again, and gone.

-- Where a value came from, as an export names it.
create function _trait_source(source_type text) returns text
language sql immutable parallel safe
as $$
  select case source_type when 'manual' then 'manual' when 'api' then 'manual' when 'inferred' then 'inferred' else 'extracted' end
$$;

create function _memory_type(kind text) returns text
language sql immutable parallel safe
as $$
  select case kind when 'note' then 'context' when 'trait' then 'fact' else kind end
$$;

-- The row functions of an export run once a row: without a SET clause they are inlined, so every name is in full.

-- A memory row, every column that is not derived, in the naming of the JSON APIs.
create function _memory_json(m memory) returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'id', m.id, 'profileId', m.subject_key, 'content', m.content, 'type', memory_profile._memory_type(m.kind), 'kind', m.kind,
    'importance', m.importance::numeric, 'decayFactor', 1.0, 'confidence', m.confidence::numeric,
    'isStatic', m.is_static, 'isInference', m.is_inference, 'metadata', m.metadata,
    'version', m.version, 'rootId', m.root_id, 'source', m.source_type, 'sourceMessageIds', '[]'::jsonb,
    'seenCount', m.seen_count, 'lastAccessedAt', memory_profile._iso(m.last_seen_at),
    'createdAt', memory_profile._iso(m.created_at), 'updatedAt', memory_profile._iso(m.updated_at))
  || jsonb_strip_nulls(jsonb_build_object(
    'parentId', m.parent_id, 'reviewStatus', m.review_status, 'fieldKey', m.field_key,
    'supersededAt', memory_profile._iso(m.superseded_at), 'supersededBy', m.superseded_by,
    'forgottenAt', memory_profile._iso(m.forgotten_at), 'forgetReason', m.forget_reason, 'forgetAfter', memory_profile._iso(m.forget_after),
    'speaker', m.speaker, 'conversationId', m.conversation_id, 'sequence', m.sequence,
    'contextSequence', m.context_sequence, 'eventDate', memory_profile._iso(m.event_date),
    'jobId', m.job_id, 'slot', m.slot, 'slotValue', m.slot_value, 'aside', case when m.aside then true end))
  || case when m.field_key is null then '{}' else jsonb_build_object('fieldValue', m.field_value) end
$$;

-- An imported summary, that of the language model as long as all that it says holds, or the built-in one.
create function _summary(key uuid) returns text
language sql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select coalesce(
    (select summary from subject where subject_key = key),
    _model_summary(key),
    (select _profile_summary(
       (select coalesce(jsonb_agg(jsonb_build_object('key', field_key, 'value', field_value, 'confidence', confidence) order by field_key), '[]')
        from memory
        where subject_key = key and field_key is not null and superseded_at is null and forgotten_at is null),
       (select coalesce(jsonb_agg(to_jsonb(top)), '[]')
        from (select content, kind, is_static, importance, (extract(epoch from updated_at) * 1000000)::bigint as updated from memory
              where subject_key = key and field_key is null and superseded_at is null and forgotten_at is null
                and (forget_after is null or forget_after > now())
              order by is_static desc, importance desc, created_at desc, id desc
              limit 10) top))))
$$;

create function _profile_json(s subject) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select jsonb_build_object(
    'id', s.subject_key, 'externalId', s.external_id, 'summary', _summary(s.subject_key),
    'summaryVersion', s.summary_version, 'summaryUpdatedAt', _iso(s.summary_updated_at),
    'createdAt', _iso(s.created_at), 'updatedAt', _iso(s.updated_at))
$$;

create function _trait_json(m memory) returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'id', m.id, 'profileId', m.subject_key, 'key', m.field_key, 'category', spec -> 'category',
    'valueType', memory_profile._trait_type(m.field_value, spec ->> 'type'), 'value', m.field_value,
    'confidence', m.confidence::numeric, 'source', memory_profile._trait_source(m.source_type), 'sourceType', m.source_type,
    'sourceMessageIds', '[]'::jsonb, 'version', m.version, 'rootId', m.root_id, 'content', m.content,
    'createdAt', memory_profile._iso(coalesce(root.created_at, m.created_at)), 'updatedAt', memory_profile._iso(m.updated_at))
    || jsonb_strip_nulls(jsonb_build_object('parentId', m.parent_id, 'jobId', m.job_id))
  from (select memory_profile._profile_field_spec(m.field_key) as spec) field
  left join memory_profile.memory root on root.subject_key = m.subject_key and root.id = m.root_id
$$;

create function _message_json(m message) returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'id', m.id, 'profileId', m.subject_key, 'role', m.role, 'content', m.content, 'requestId', m.request_id, 'model', m.model,
    'processed', m.processed, 'createdAt', memory_profile._iso(m.created_at))
    || jsonb_strip_nulls(jsonb_build_object('conversationId', m.conversation_id, 'sequence', m.sequence, 'name', m.name,
                                            'utcOffset', m.utc_offset, 'metadata', nullif(m.metadata, '{}')))
$$;

create function profile_export(id text, include_history boolean default true) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := _subject_by_id(id);
  exported jsonb;
begin
  if key is null then
    raise no_data_found using message = 'profile not found',
      detail = format('The project has no subject with id or external id "%s".', id);
  end if;
  select jsonb_build_object(
    'profile', (select _profile_json(s) || jsonb_strip_nulls(jsonb_build_object(
                  'name', s.name, 'entityContext', s.entity_context, 'metadata', nullif(s.metadata, '{}'), 'storedSummary', s.summary))
                from subject s where s.subject_key = key),
    'traits', coalesce((select jsonb_agg(_trait_json(m) order by m.field_key) from memory m
                        where m.subject_key = key and m.field_key is not null and m.superseded_at is null and m.forgotten_at is null), '[]'),
    'memories', coalesce((select jsonb_agg(_memory_json(m) order by m.created_at, m.ordinal, m.id) from memory m
                          where m.subject_key = key and m.field_key is null and m.superseded_at is null and m.forgotten_at is null
                            and (m.forget_after is null or m.forget_after > now())), '[]'),
    'messages', coalesce((select jsonb_agg(_message_json(m) order by m.created_at, m.sequence, m.id) from message m
                          where m.subject_key = key), '[]'),
    'exportedAt', _iso(now()))
  into exported;
  if include_history then
    exported := exported || jsonb_build_object('history', jsonb_build_object(
      'memories', coalesce((select jsonb_agg(_memory_json(m) order by m.created_at, m.version, m.id) from memory m
                            where m.subject_key = key and not (m.superseded_at is null and m.forgotten_at is null
                              and (m.field_key is not null or m.forget_after is null or m.forget_after > now()))), '[]'),
      'relations', coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('from', r.from_id, 'to', r.to_id, 'relation', r.relation,
                               'reason', r.reason, 'createdAt', _iso(r.created_at))) order by r.created_at, r.from_id, r.to_id, r.relation)
                             from memory_relation r where r.subject_key = key), '[]'),
      'decisions', coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('memory', d.memory_id, 'decision', d.decision,
                               'reason', d.reason, 'other', d.other_id, 'content', d.content, 'details', nullif(d.details, '{}'),
                               'jobId', d.job_id, 'undoneAt', _iso(d.undone_at))) || jsonb_build_object('createdAt', _iso(d.created_at)) order by d.id)
                             from decision d where d.subject_key = key), '[]'),
      'documents', coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                               'id', d.id, 'customId', d.custom_id, 'title', d.title, 'type', d.type, 'url', d.url, 'source', d.source,
                               'filepath', d.filepath, 'summary', d.summary, 'content', d.content, 'metadata', d.metadata, 'taskType', d.task_type,
                               'documentDate', _iso(d.document_date), 'utcOffset', d.utc_offset, 'status', d.status, 'error', d.error,
                               'place', d.place, 'createdAt', _iso(d.created_at), 'updatedAt', _iso(d.updated_at),
                               'chunks', (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('position', c.position,
                                            'heading', c.heading, 'content', c.content)) order by c.position), '[]')
                                          from chunk c where c.subject_key = key and c.document_id = d.id),
                               'memories', (select coalesce(jsonb_agg(l.memory_id order by l.memory_id), '[]')
                                            from memory_source l where l.subject_key = key and l.document_id = d.id)
                             )) order by d.created_at, d.id) from document d where d.subject_key = key), '[]'),
      'jobs', coalesce((select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', j.id, 'kind', j.kind, 'inputType', j.input_type,
                          'documentId', j.document_id, 'payload', j.payload, 'payloadSha256', encode(j.payload_sha256, 'hex'),
                          'payloadBytes', j.payload_bytes, 'status', j.status, 'attempts', j.attempts, 'error', j.error, 'result', j.result,
                          'createdAt', _iso(j.created_at), 'startedAt', _iso(j.started_at), 'finishedAt', _iso(j.finished_at)))
                          order by j.sequence) from job j where j.subject_key = key), '[]'),
      'events', coalesce((select jsonb_agg(jsonb_build_object('type', e.type, 'data', e.data, 'createdAt', _iso(e.created_at)) order by e.id)
                          from event e where e.subject_key = key), '[]')));
  end if;
  return exported;
end
$$;
comment on function profile_export(text, boolean) is
  'Everything about a subject as one JSON document: profile, traits, memories and messages as they stand, and under history every earlier '
  'and forgotten memory, relations, decisions, documents with chunks, jobs and events. id is the subject''s UUID or its external id';

-- A trait or memory of an export as a row; what a foreign export leaves out takes its default.
create function _memory_from_json(item jsonb) returns memory
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  m memory;
begin
  m.id := item ->> 'id';
  m.field_key := coalesce(item ->> 'fieldKey', item ->> 'key');
  m.field_value := case when item ? 'fieldKey' then item -> 'fieldValue' else item -> 'value' end;
  m.content := coalesce(item ->> 'content', _field_sentence(replace(m.field_key, '_', ' '), m.field_value));
  m.kind := coalesce(item ->> 'kind', case when m.field_key is null then coalesce(item ->> 'type', 'fact') else 'profile_field' end);
  m.is_static := coalesce((item ->> 'isStatic')::boolean, m.field_key is not null);
  m.is_inference := (item ->> 'isInference')::boolean;
  m.review_status := item ->> 'reviewStatus';
  m.importance := (item ->> 'importance')::real;
  m.confidence := (item ->> 'confidence')::real;
  m.metadata := item -> 'metadata';
  m.version := (item ->> 'version')::integer;
  m.parent_id := item ->> 'parentId';
  m.root_id := item ->> 'rootId';
  m.superseded_at := (item ->> 'supersededAt')::timestamptz;
  m.superseded_by := item ->> 'supersededBy';
  m.forgotten_at := (item ->> 'forgottenAt')::timestamptz;
  m.forget_reason := item ->> 'forgetReason';
  m.forget_after := (item ->> 'forgetAfter')::timestamptz;
  m.source_type := case
    when item ? 'sourceType' then item ->> 'sourceType'
    when item ->> 'source' in ('chat', 'manual', 'api', 'inferred', 'document') then item ->> 'source'
    when item ->> 'source' = 'extracted' then 'chat'
  end;
  m.speaker := item ->> 'speaker';
  m.conversation_id := item ->> 'conversationId';
  m.sequence := (item ->> 'sequence')::integer;
  m.context_sequence := (item ->> 'contextSequence')::integer;
  m.event_date := (item ->> 'eventDate')::timestamptz;
  m.seen_count := (item ->> 'seenCount')::integer;
  m.last_seen_at := (item ->> 'lastAccessedAt')::timestamptz;
  m.job_id := (item ->> 'jobId')::uuid;
  m.slot := item ->> 'slot';
  m.slot_value := item ->> 'slotValue';
  m.aside := (item ->> 'aside')::boolean;
  m.updated_at := (item ->> 'updatedAt')::timestamptz;
  m.created_at := case when item ? 'key' then coalesce(m.updated_at, (item ->> 'createdAt')::timestamptz) else (item ->> 'createdAt')::timestamptz end;
  return m;
end
$$;

create function profile_import(document jsonb, subject text default null) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid;
  external text := coalesce(subject, document #>> '{profile,externalId}');
  project uuid := _project();
  item jsonb;
  passage jsonb;
  new memory;
  counts jsonb;
begin
  if jsonb_typeof(document) is distinct from 'object' or external is null
     or jsonb_typeof(document -> 'traits') is distinct from 'array' or jsonb_typeof(document -> 'memories') is distinct from 'array' then
    raise invalid_parameter_value using
      message = 'not an exported profile',
      hint = 'Give a document as profile_export() returns it: {"profile": {"externalId": ...}, "traits": [...], "memories": [...], "messages": [...]}.';
  end if;
  key := _subject_for_write(external);
  if exists (select from memory where subject_key = key) or exists (select from job where subject_key = key)
     or exists (select from document d where d.subject_key = key) or exists (select from message where subject_key = key) then
    raise unique_violation using
      message = format('subject "%s" already has data', external),
      hint = 'Import under another subject, or erase this one first with memory_profile.profile_erase(subject).';
  end if;

  update subject s
  set name = document #>> '{profile,name}', entity_context = document #>> '{profile,entityContext}',
      summary = case when document -> 'profile' ? 'summaryVersion' then document #>> '{profile,storedSummary}' else document #>> '{profile,summary}' end,
      summary_version = coalesce((document #>> '{profile,summaryVersion}')::integer, 0),
      summary_updated_at = (document #>> '{profile,summaryUpdatedAt}')::timestamptz,
      metadata = coalesce(document #> '{profile,metadata}', '{}'),
      created_at = coalesce((document #>> '{profile,createdAt}')::timestamptz, s.created_at)
  where s.subject_key = key;

  for item in
    select value
    from jsonb_array_elements(coalesce(document #> '{history,memories}', '[]') || (document -> 'traits') || (document -> 'memories'))
  loop
    new := _memory_from_json(item);
    new.subject_key := key;
    new.content := _check_content(new.content);
    perform _memory_insert(new, null, false);
  end loop;
  perform _memories_sign(key, null);
  insert into memory_relation (subject_key, from_id, to_id, relation, project_id, reason, created_at)
  select key, r ->> 'from', r ->> 'to', r ->> 'relation', project, r ->> 'reason', coalesce((r ->> 'createdAt')::timestamptz, now())
  from jsonb_path_query(document, '$.history.relations[*]') r;

  insert into decision (subject_key, project_id, memory_id, decision, reason, other_id, content, details, job_id, created_at, undone_at)
  select key, project, d ->> 'memory', d ->> 'decision', d ->> 'reason', d ->> 'other', d ->> 'content', coalesce(d -> 'details', '{}'),
         (d ->> 'jobId')::uuid, coalesce((d ->> 'createdAt')::timestamptz, now()), (d ->> 'undoneAt')::timestamptz
  from jsonb_path_query(document, '$.history.decisions[*]') d;

  for item in select value from jsonb_path_query(document, '$.history.documents[*]') value loop
    insert into document (subject_key, id, project_id, custom_id, title, type, url, source, filepath, summary, content, metadata, task_type,
                          document_date, utc_offset, status, error, place, created_at, updated_at)
    values (key, item ->> 'id', project, item ->> 'customId', item ->> 'title', coalesce(item ->> 'type', 'text'), item ->> 'url', item ->> 'source',
            item ->> 'filepath', item ->> 'summary', item ->> 'content', coalesce(item -> 'metadata', '{}'), coalesce(item ->> 'taskType', 'memory'),
            (item ->> 'documentDate')::timestamptz, (item ->> 'utcOffset')::integer, coalesce(item ->> 'status', 'done'), item ->> 'error',
            case when external = document #>> '{profile,externalId}' then (item ->> 'place')::integer end, (item ->> 'createdAt')::timestamptz, (item ->> 'updatedAt')::timestamptz);
    for passage in select value from jsonb_array_elements(coalesce(item -> 'chunks', '[]')) loop
      insert into chunk (subject_key, document_id, position, project_id, heading, content)
      values (key, item ->> 'id', (passage ->> 'position')::integer, project, passage ->> 'heading', passage ->> 'content');
    end loop;
    perform _document_sign(d, _embedding_model_id()) from document d where d.subject_key = key and d.id = item ->> 'id';
    insert into memory_source (subject_key, memory_id, document_id, project_id)
    select key, memory_id, item ->> 'id', project from jsonb_array_elements_text(coalesce(item -> 'memories', '[]')) memory_id;
  end loop;

  insert into message (subject_key, id, project_id, conversation_id, sequence, role, name, content, request_id, model, processed, metadata, created_at, utc_offset)
  select key, coalesce(_uuid_or_null(m ->> 'id'), gen_random_uuid()), project, m ->> 'conversationId', (m ->> 'sequence')::integer,
         m ->> 'role', m ->> 'name', m ->> 'content', m ->> 'requestId', m ->> 'model', coalesce((m ->> 'processed')::boolean, false),
         coalesce(m -> 'metadata', '{}'), coalesce((m ->> 'createdAt')::timestamptz, now()), (m ->> 'utcOffset')::integer
  from jsonb_path_query(document, '$.messages[*]') m;

  insert into job (subject_key, id, project_id, kind, input_type, document_id, payload, payload_sha256, payload_bytes, status, attempts, error, result,
                   created_at, started_at, finished_at)
  select key, (j ->> 'id')::uuid, project, j ->> 'kind', j ->> 'inputType', j ->> 'documentId', j ->> 'payload', decode(j ->> 'payloadSha256', 'hex'),
         (j ->> 'payloadBytes')::integer, case j ->> 'status' when 'running' then 'queued' else j ->> 'status' end, (j ->> 'attempts')::integer,
         j ->> 'error', j -> 'result', (j ->> 'createdAt')::timestamptz, (j ->> 'startedAt')::timestamptz, (j ->> 'finishedAt')::timestamptz
  from jsonb_path_query(document, '$.history.jobs[*]') j;
  insert into event (subject_key, project_id, type, data, created_at)
  select key, project, e ->> 'type', e -> 'data', (e ->> 'createdAt')::timestamptz
  from jsonb_path_query(document, '$.history.events[*]') e;

  counts := _subject_counts(key);
  if not _embeds_remotely()
     and (counts ->> 'memories')::bigint + (counts ->> 'chunks')::bigint <= (project_setting('inline_embedding_limit') #>> '{}')::bigint then
    perform _embed_all(key);
    update document d set status = 'done' where d.subject_key = key and d.status = 'embedding';
  elsif _embedding_model_id() is not null then
    perform _embed_later(key);
  end if;
  update subject s set updated_at = coalesce((document #>> '{profile,updatedAt}')::timestamptz, s.updated_at) where s.subject_key = key;
  return counts;
end
$$;
comment on function profile_import(jsonb, text) is
  'Restores an exported profile, all of it, for a subject that has no data yet, and returns counts; exports of GetProfile itself are understood too';

create function _subject_counts(key uuid) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select jsonb_build_object(
    'traits', (select count(*) from memory where subject_key = key and field_key is not null and superseded_at is null and forgotten_at is null),
    'memories', (select count(*) from memory where subject_key = key),
    'relations', (select count(*) from memory_relation where subject_key = key),
    'decisions', (select count(*) from decision where subject_key = key),
    'documents', (select count(*) from document where subject_key = key),
    'chunks', (select count(*) from chunk where subject_key = key),
    'messages', (select count(*) from message where subject_key = key),
    'jobs', (select count(*) from job where subject_key = key),
    'events', (select count(*) from event where subject_key = key))
$$;

create function profile_erase(subject text) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := _subject_by_id(subject);
  counts jsonb;
begin
  if key is null then
    return jsonb_build_object('erased', false);
  end if;
  perform from subject s where s.subject_key = key for update;
  counts := _subject_counts(key);
  delete from subject s where s.subject_key = key;
  return jsonb_build_object('erased', true) || counts;
end
$$;
comment on function profile_erase(text) is
  'Removes every trace of a subject, history included, for good and in this transaction, and returns how many rows of each kind there were; '
  'subject is its external id or its UUID';
