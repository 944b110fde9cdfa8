-- Writing and reading memories: adding, revising, forgetting, relating. sql/33_consolidation.sql has the rules by which
-- a statement that is written meets what is known already.

create function _is_current(m memory) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select m.superseded_at is null and m.forgotten_at is null and (m.forget_after is null or m.forget_after > now())
$$;

-- Of a JSON object, the members that a caller may set on a memory.
create function _memory_attributes(item jsonb) returns jsonb
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(key, value), '{}')
  from jsonb_each(item)
  where key in ('content', 'kind', 'is_static', 'metadata', 'importance', 'confidence', 'forget_after', 'forget_reason',
                'source_type', 'event_date', 'speaker', 'conversation_id', 'sequence')
$$;

-- What is called for every memory and finds all names in full has no SET clause, which costs more than most of them do.

-- A memory with its place in what was said, as its metadata has it, where it is not given otherwise: speaker,
-- conversationId, sequence, and date or, as Supermemory has it, temporalContext.eventDate and documentDate.
create function _memory_placed(m memory) returns memory
language plpgsql immutable
as $$
begin
  m.speaker := coalesce(m.speaker, m.metadata ->> 'speaker');
  m.conversation_id := coalesce(m.conversation_id, m.metadata ->> 'conversationId');
  m.sequence := coalesce(m.sequence, memory_profile._integer_or_null(m.metadata ->> 'sequence'));
  m.event_date := coalesce(
    m.event_date,
    memory_profile._timestamp_or_null(m.metadata ->> 'date'),
    memory_profile._timestamp_or_null(m.metadata #>> '{temporalContext.eventDate,0}'),
    memory_profile._timestamp_or_null(m.metadata ->> 'temporalContext.eventDate'),
    memory_profile._timestamp_or_null(m.metadata ->> 'temporalContext.documentDate'));
  return m;
end
$$;

-- What a memory is compared by; NULL for what is no statement of somebody about something: a profile field, an aside, a turn of
-- a conversation as it was said.
create function _memory_gist(m memory, subject_names text[]) returns bigint
language plpgsql immutable
as $$
begin
  return case when m.field_key is null and not coalesce(m.aside, false) and (m.sequence is null or m.job_id is not null)
    then memory_profile._gist(m.content, subject_names) end;
end
$$;

-- A new memory with what its writer left open. The caller has locked the subject. Times are read from the clock under the
-- lock, and a predecessor ends when its successor begins: the moments of one subject ascend in the order of its writes,
-- so that exactly one version was true at each.
create function _memory_completed(new memory, predecessor memory default null) returns memory
language plpgsql
as $$
begin
  new.id := coalesce(new.id, memory_profile._new_id('mem'));
  new.project_id := memory_profile._project();
  new.kind := coalesce(new.kind, 'fact');
  new.is_static := coalesce(new.is_static, false);
  new.is_inference := coalesce(new.is_inference, false);
  new.importance := coalesce(new.importance, 0.5);
  new.confidence := coalesce(new.confidence, 0.95);
  new.metadata := coalesce(new.metadata, '{}');
  new.source_type := coalesce(new.source_type, 'api');
  new.created_at := coalesce(new.created_at, clock_timestamp());
  new.updated_at := coalesce(new.updated_at, new.created_at);
  new.seen_count := coalesce(new.seen_count, 1);
  new.last_seen_at := coalesce(new.last_seen_at, new.updated_at);
  new.aside := coalesce(new.aside, false);
  new.ordinal := coalesce(new.ordinal, predecessor.ordinal, memory_profile._microseconds(clock_timestamp()));
  if predecessor.id is null then
    new.version := coalesce(new.version, 1);
    new.root_id := coalesce(new.root_id, new.id);
  else
    new.version := predecessor.version + 1;
    new.parent_id := predecessor.id;
    new.root_id := predecessor.root_id;
  end if;
  return new;
end
$$;

-- Makes one memory row. A predecessor is superseded, and its version chain goes on. Who writes many at once says that no
-- vector is to be made, and signs them together with _memories_sign(): one by one they would write the same block over
-- and over.
create function _memory_insert(new memory, predecessor memory default null, embed boolean default true, why text default null) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
  meaning record;
begin
  new := _memory_completed(_memory_placed(new), predecessor);
  new.gist := coalesce(new.gist, _memory_gist(new, _subject_names(new.subject_key)));
  if predecessor.id is not null then
    update memory set superseded_at = new.created_at, superseded_by = new.id
    where subject_key = new.subject_key and id = predecessor.id;
  end if;

  if model is not null and embed and new.superseded_at is null then
    select * into meaning from _encode(new.content);
  else
    -- Room for the code of the vector to come.
    select null::bytea as code into meaning;
  end if;
  new.signature_block := case when embed and new.superseded_at is null then _memory_sign(new, model, meaning.code) else -1 end;
  insert into memory select new.*;
  if meaning.code is not null then
    insert into memory_embedding (subject_key, model_id, memory_id, project_id, code, embedding, tokens)
    values (new.subject_key, model, new.id, new.project_id, meaning.code, meaning.embedding, meaning.tokens);
  elsif model is not null and embed and new.superseded_at is null then
    perform _embed_later(new.subject_key);
  end if;
  if predecessor.id is not null then
    insert into memory_relation (subject_key, from_id, to_id, relation, project_id, reason, created_at)
    values (new.subject_key, new.id, predecessor.id, 'updates', new.project_id, coalesce(why, 'revised'), new.created_at);
    if predecessor.forgotten_at is null then
      perform _decide(new, 'superseded', coalesce(why, 'revised'), predecessor.id);
    end if;
  end if;
  update subject set updated_at = now() where subject_key = new.subject_key and updated_at <> now();
  return new;
end
$$;

-- A memory of this subject by id, which may name an earlier version, or by its exact text.
create function _memory_find(key uuid, memory_id text, exact_content text) returns memory
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  -- Computed beforehand: an index without it would then seem as cheap as the one that has it.
  checksum constant text := _checksum(exact_content);
  result memory;
begin
  if memory_id is not null then
    with recursive chain as (
      select m.* from memory m where m.subject_key = key and m.id = memory_id
      union
      select m.* from chain c join memory m on m.subject_key = key and m.id = c.superseded_by
    )
    select * into result from chain order by version desc limit 1;
  else
    select * into result
    from memory
    where subject_key = key and (superseded_at is null) is true
      and _checksum(content) collate "C" = checksum and content = exact_content
    order by forgotten_at desc nulls first, created_at desc, id desc
    limit 1;
  end if;
  return result;
end
$$;

create function _memory_or_error(key uuid, memory_id text, exact_content text) returns memory
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  result memory := _memory_find(key, memory_id, exact_content);
begin
  if result.id is null then
    raise no_data_found using
      message = 'memory not found',
      detail = coalesce(format('The subject has no memory with id "%s".', memory_id), 'The subject has no memory with exactly this content.');
  end if;
  return result;
end
$$;

create function memory_add(
  subject text,
  content text,
  is_static boolean default false,
  metadata jsonb default '{}',
  kind text default 'fact',
  importance real default 0.5,
  confidence real default 0.95,
  forget_after timestamptz default null,
  forget_reason text default null,
  source_type text default 'api'
) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := _subject_for_write(subject);
begin
  return id from _memory_write(key, jsonb_build_object(
    'content', content, 'is_static', is_static, 'metadata', metadata, 'kind', kind, 'importance', importance,
    'confidence', confidence, 'forget_after', forget_after, 'forget_reason', forget_reason, 'source_type', source_type), true);
end
$$;
comment on function memory_add(text, text, boolean, jsonb, text, real, real, timestamptz, text, text) is
  'Remembers a text about a subject and returns the memory''s id; the same text again reinforces the memory that is there. '
  'kind: fact, preference, context, note, event or trait; importance and confidence 0..1; source_type: chat, manual, api, inferred or document';

-- What a caller may set on a memory, checked with a message that names it.
create function _check_memory(new memory) returns void
language plpgsql immutable
as $$
begin
  if new.kind = 'profile_field' then
    raise invalid_parameter_value using
      message = 'a profile field is not written as a plain memory',
      hint = 'Use memory_profile.profile_patch(subject, updates).';
  elsif new.kind not in ('fact', 'preference', 'context', 'note', 'event', 'trait') then
    raise invalid_parameter_value using
      message = format('invalid kind "%s"', new.kind),
      hint = 'kind is fact, preference, context, note, event or trait.';
  elsif new.source_type not in ('chat', 'manual', 'api', 'inferred', 'document') then
    raise invalid_parameter_value using
      message = format('invalid source_type "%s"', new.source_type),
      hint = 'source_type is chat, manual, api, inferred or document.';
  elsif not new.importance between 0 and 1 then
    raise invalid_parameter_value using message = format('importance must be from 0 to 1, not %s', new.importance);
  elsif not new.confidence between 0 and 1 then
    raise invalid_parameter_value using message = format('confidence must be from 0 to 1, not %s', new.confidence);
  end if;
end
$$;

create function memory_update(subject text, id text, new_content text, changes jsonb default '{}') returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return (_memory_revise(subject, id, null, new_content, changes)).id;
end
$$;
comment on function memory_update(text, text, text, jsonb) is
  'Writes a new version of a memory and returns its id; changes may hold metadata, is_static, importance, confidence, forget_after and forget_reason, '
  'what it leaves out is inherited and null clears forget_after';

create function _memory_revise(subject text, memory_id text, exact_content text, new_content text, changes jsonb) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
  old memory;
  new memory;
begin
  changes := coalesce(changes, '{}');
  old := _memory_or_error(key, memory_id, exact_content);
  if old.forgotten_at is not null then
    raise object_not_in_prerequisite_state using
      message = 'memory is forgotten',
      detail = format('Memory "%s" was forgotten at %s.', old.id, _iso(old.forgotten_at)),
      hint = 'Add it anew with memory_profile.memory_add(subject, content).';
  end if;
  if old.kind = 'profile_field' then
    raise invalid_parameter_value using
      message = format('memory "%s" states the profile field "%s"', old.id, old.field_key),
      hint = 'Use memory_profile.profile_patch(subject, updates).';
  end if;
  new := jsonb_populate_record(null::memory, _memory_attributes(changes) - 'content' - 'kind');
  new.subject_key := key;
  new.content := _check_content(new_content);
  new.metadata := _check_metadata(coalesce(new.metadata, old.metadata));
  perform _check_memory(new);
  new.kind := old.kind;
  new.is_static := coalesce(new.is_static, old.is_static);
  new.is_inference := old.is_inference;
  new.importance := coalesce(new.importance, old.importance);
  new.confidence := coalesce(new.confidence, old.confidence);
  new.source_type := coalesce(new.source_type, old.source_type);
  new := _memory_placed(new);
  new.speaker := coalesce(new.speaker, old.speaker);
  new.conversation_id := coalesce(new.conversation_id, old.conversation_id);
  new.sequence := coalesce(new.sequence, old.sequence);
  new.event_date := coalesce(new.event_date, old.event_date);
  if not changes ? 'forget_after' then
    new.forget_after := old.forget_after;
    new.forget_reason := coalesce(new.forget_reason, old.forget_reason);
  elsif new.forget_after is null then
    new.forget_reason := null;
  end if;
  new.aside := old.aside;
  new.slot := old.slot;
  return _memory_insert(new, old);
end
$$;

create function memory_forget(subject text, id text, reason text default null) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return (_memory_retire(subject, id, null, reason)).id;
end
$$;
comment on function memory_forget(text, text, text) is
  'Forgets a memory softly: it is gone from profile and search, and stays in the history. Returns the id of its current version';

create function _memory_retire(subject text, memory_id text, exact_content text, reason text) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
  target memory;
begin
  target := _memory_or_error(key, memory_id, exact_content);
  if target.forgotten_at is not null then
    raise object_not_in_prerequisite_state using
      message = 'memory is already forgotten',
      detail = format('Memory "%s" was forgotten at %s.', target.id, _iso(target.forgotten_at));
  end if;
  return _memory_close(target, 'forgotten', coalesce(reason, target.forget_reason));
end
$$;

create function memory_relate(subject text, from_id text, to_id text, relation text, reason text default null) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
begin
  if relation not in ('extends', 'derives', 'supports', 'duplicates', 'related') then
    raise invalid_parameter_value using
      message = format('invalid relation "%s"', relation),
      hint = 'relation is extends, derives, supports, duplicates or related; memory_update() records updates.';
  end if;
  perform _memory_or_error(key, from_id, null), _memory_or_error(key, to_id, null);
  perform _memory_relate(key, from_id, to_id, relation, reason);
end
$$;
comment on function memory_relate(text, text, text, text, text) is
  'Records that memory from_id extends, derives from, supports, duplicates or is related to memory to_id';

-- Reading ----------------------------------------------------------------------------------------------------------------

create function memory_list(subject text, filters jsonb default null, max_results integer default 100, skip integer default 0)
returns table (id text, memory text, kind text, is_static boolean, metadata jsonb, version integer, confidence real,
               importance real, created_at timestamptz, updated_at timestamptz, forget_after timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := subject_key(subject);
begin
  perform _check_filters(filters);
  return query
  select m.id, m.content, m.kind, m.is_static, m.metadata, m.version, m.confidence, m.importance, m.created_at, m.updated_at, m.forget_after
  from memory m
  where m.subject_key = key and m.superseded_at is null and m.forgotten_at is null
    and (m.forget_after is null or m.forget_after > now())
    and (filters is null or m.id in (select matching.id from _memories_matching(array[key], filters) matching))
  order by m.created_at desc, m.id desc
  limit max_results offset skip;
end
$$;
comment on function memory_list(text, jsonb, integer, integer) is 'The current memories of a subject, newest first';

create function memory_history(subject text, memory_id text)
returns table (id text, memory text, version integer, relation text, source_type text, confidence real, created_at timestamptz,
               superseded_at timestamptz, superseded_by text, forgotten_at timestamptz, forget_reason text, reason text, seen_count integer)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := subject_key(subject);
  head memory := _memory_or_error(key, memory_id, null);
begin
  return query
  select m.id, m.content, m.version, r.relation, m.source_type, m.confidence, m.created_at,
         m.superseded_at, m.superseded_by, m.forgotten_at, m.forget_reason, r.reason, m.seen_count
  from memory m
  left join memory_relation r
    on r.subject_key = key and r.from_id = m.id and r.to_id = m.parent_id and r.relation = 'updates'
  where m.subject_key = key and m.root_id = head.root_id
  order by m.version, m.id;
end
$$;
comment on function memory_history(text, text) is 'Every version of a memory, oldest first; memory_id may name any of them';
