-- Documents, their chunks, and messages: the sources of memories. A document is accepted at once and processed by the
-- job queue; its chunks are searchable by themselves, and the memories drawn from it stay linked to it.

create table document (
  subject_key uuid not null,
  id text collate "C" not null check (id ~ '^[!-~]{1,100}$'),
  project_id uuid not null,
  custom_id text,
  title text,
  type text not null default 'text',
  url text,
  source text,
  filepath text,
  summary text,
  content text not null,
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  task_type text not null default 'memory' check (task_type in ('memory', 'superrag')),
  document_date timestamptz,
  utc_offset integer check (utc_offset between -93599 and 93599),
  status text not null default 'queued'
    check (status in ('unknown', 'queued', 'extracting', 'chunking', 'embedding', 'indexing', 'done', 'failed')),
  error text,
  processed_sha256 bytea,
  place integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
create unique index document_custom_id on document (subject_key, custom_id) where custom_id is not null;
create index document_by_id on document (project_id, id);
create index document_by_custom_id on document (project_id, custom_id) where custom_id is not null;
comment on table document is 'Texts that memories are drawn from';
comment on column document.place is 'Its place among the containers that it was added to together, where it has the same id; null for a document of one';
comment on column document.utc_offset is 'Seconds that the clock which document_date was read from is ahead of UTC, where that is known';
comment on column document.processed_sha256 is 'Checksum of what was last processed: the content, and what else decides what is drawn from it';

create table chunk (
  subject_key uuid not null,
  document_id text collate "C" not null,
  position integer not null check (position >= 0),
  project_id uuid not null,
  id text collate "C" not null generated always as (document_id || '_' || position::text) stored,
  heading text,
  content text not null,
  created_at timestamptz not null default now(),
  primary key (subject_key, document_id, position),
  unique (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, document_id) references document (subject_key, id) on delete cascade
);
comment on table chunk is 'Passages of a document, in order';

create table chunk_embedding (
  subject_key uuid not null,
  model_id smallint not null references embedding_model,
  chunk_id text collate "C" not null,
  project_id uuid not null,
  code bytea not null,
  embedding halfvec not null,
  tokens bytea not null,
  primary key (subject_key, chunk_id, model_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, chunk_id) references chunk (subject_key, id) on delete cascade
) with (toast_tuple_target = 8160);
alter table chunk_embedding alter column tokens set storage external;
create index chunk_embedding_nearest on chunk_embedding
  using scoped_vector (project_id, model_id, embedding scoped_halfvec_cosine_ops);
comment on table chunk_embedding is 'The meaning of each chunk as a vector, per embedding model; the columns are those of memory_embedding';

create table chunk_signature (
  subject_key uuid not null,
  document_id text collate "C" not null,
  block integer not null,
  project_id uuid not null,
  signatures bytea not null,
  primary key (subject_key, document_id, block) include (project_id, signatures) with (fillfactor = 100),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, document_id) references document (subject_key, id) on delete cascade
);
alter table chunk_signature alter column signatures set storage plain;
comment on table chunk_signature is 'The words of the chunks of each document, and what else a search scores';

create table memory_source (
  subject_key uuid not null,
  memory_id text collate "C" not null,
  document_id text collate "C" not null,
  project_id uuid not null,
  chunk_position integer,
  added_at timestamptz not null default now(),
  primary key (subject_key, memory_id, document_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, memory_id) references memory (subject_key, id) on delete cascade,
  foreign key (subject_key, document_id) references document (subject_key, id) on delete cascade
);
create index memory_source_document on memory_source (subject_key, document_id);
comment on table memory_source is 'Which documents a memory was drawn from';

create table message (
  subject_key uuid not null,
  id uuid not null default gen_random_uuid(),
  project_id uuid not null,
  conversation_id text,
  sequence integer,
  role text not null,
  name text,
  content text not null,
  request_id text,
  model text,
  processed boolean not null default false,
  utc_offset integer check (utc_offset between -93599 and 93599),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
create index message_in_order on message (subject_key, conversation_id, sequence);
comment on table message is 'Conversation messages, for the APIs whose contract keeps them';
comment on column message.processed is 'Whether the conversation has been read since it was sent';
comment on column message.utc_offset is 'Seconds that the clock which created_at was read from is ahead of UTC, where that is known';

select _isolate('document');
select _isolate('chunk');
select _isolate('chunk_embedding');
select _isolate('chunk_signature');
select _isolate('memory_source');
select _isolate('message');

create function message_add(
  subject text, role text, content text,
  conversation_id text default null, name text default null, metadata jsonb default '{}', created_at timestamptz default now()
) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := _subject_for_write(subject);
  new_id uuid;
begin
  if coalesce(btrim(role), '') = '' then
    raise invalid_parameter_value using message = 'the role of a message must not be empty', hint = 'It is user, assistant, system or tool.';
  end if;
  insert into message (subject_key, project_id, conversation_id, sequence, role, name, content, metadata, created_at)
  select key, _project(), message_add.conversation_id, coalesce(max(m.sequence) + 1, 0), message_add.role, message_add.name,
         _check_text(message_add.content), _check_metadata(message_add.metadata), message_add.created_at
  from message m
  where m.subject_key = key and m.conversation_id is not distinct from message_add.conversation_id
  returning id into new_id;
  return new_id;
end
$$;
comment on function message_add(text, text, text, text, text, jsonb, timestamptz) is
  'Keeps a message of a conversation with the subject and returns its id; it is numbered within the conversation';

-- A conversation as people read it: who says what.
create function _transcript(messages jsonb) returns text
language sql immutable parallel safe
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select string_agg(format('%s: %s', coalesce(m.value ->> 'name', m.value ->> 'role'), m.value ->> 'content'), E'\n' order by m.ordinality)
  from jsonb_array_elements(messages) with ordinality m
  where not _is_blank(m.value ->> 'content')
$$;

-- What a filter sees of a memory: its own metadata, before those of a document that it was drawn from, if there is one.
create function _metadata_told(own jsonb, of_document jsonb) returns jsonb
language sql immutable parallel safe
as $$
  select case when of_document is null then own else of_document || own end
$$;

-- The latest versions that pass filters, by their own metadata or with those of a document that they were drawn from.
create function _memories_matching(keys uuid[], filters jsonb) returns table (subject_key uuid, id text)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return query
  select distinct m.subject_key, m.id
  from memory m
  left join memory_source l on l.subject_key = m.subject_key and l.memory_id = m.id
  left join document d on d.subject_key = l.subject_key and d.id = l.document_id
  where m.subject_key = any (keys) and m.superseded_at is null
    and _filter_matches(filters, _metadata_told(m.metadata, d.metadata));
end
$$;

-- Documents --------------------------------------------------------------------------------------------------------------

-- What is learned from a document: of a conversation its messages, whose words no line of another's can be taken for, each with
-- its own time, since a conversation may go on for days.
create function _document_text(d document) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  messages jsonb;
begin
  if d.type = 'conversation' then
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'role', m.role, 'name', m.name, 'content', m.content,
      'timestamp', case when d.document_date is null then _iso(m.created_at, m.utc_offset) end)) order by m.sequence)
    into messages
    from message m
    where m.subject_key = d.subject_key and m.conversation_id = d.custom_id;
  end if;
  return case when _transcript(messages) = d.content then messages::text else d.content end;
end
$$;

-- Checksum of all that decides what becomes of a document: the same again is not processed again.
create function _document_digest(d document) returns bytea
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return sha256(convert_to(jsonb_build_array(
    d.type, d.task_type, extract(epoch from d.document_date), d.utc_offset, profile_schema_get() -> 'version', d.content)::text, 'UTF8'));
end
$$;

-- Queues a document for processing, unless that would change nothing.
create function _document_enqueue(d document) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if d.status in ('done', 'embedding') and d.processed_sha256 = _document_digest(d) then
    return;
  end if;
  update document o set status = 'queued', error = null where o.subject_key = d.subject_key and o.id = d.id;
  perform _job_enqueue(d.subject_key, 'document', null, null, d.id, octet_length(d.content));
end
$$;

-- The type that a document has when its content becomes another and no type is named: one that says how the former content was
-- to be read goes with it, one that says where it is from stays. NULL for none.
create function _type_given(d document, new_content text) returns text
language sql immutable
as $$
  select case when new_content = d.content or d.type not in ('csv', 'json', 'html', 'markdown') then d.type end
$$;

-- The title that a document keeps when its content becomes another: one that was drawn from the former content goes with it, and so
-- does the name of a file of data that is none any more.
create function _title_given(d document, new_content text, new_type text) returns text
language sql stable
as $$
  select case when new_content = d.content or d.title is distinct from memory_profile._document_title(d.content)
                   and (d.type not in ('csv', 'json') or new_type in ('csv', 'json')) then d.title end
$$;

-- The messages of a chat as callers write one down, an array of them or lines that begin with a role; NULL for any other text.
create function _chat_messages(content text) returns text[]
language plpgsql immutable parallel safe
as $$
declare
  messages jsonb;
begin
  if content ~* '^\s*(user|human|customer|assistant|ai|bot|agent|system|tool)\s*:' then
    return string_to_array(btrim(content, E' \t\r\n'), E'\n');
  elsif content !~ '^\s*\[' then
    return null;
  end if;
  begin
    messages := content;
  exception when data_exception or program_limit_exceeded then
    return null;
  end;
  return case when not jsonb_path_exists(messages, '$[*] ? (@.type() != "object" || !exists(@.role) || !exists(@.content))')
              then nullif(array(select m.value::text from jsonb_array_elements(messages) with ordinality m order by m.ordinality), '{}') end;
end
$$;

-- What a chat is that goes on: the former messages with the new ones behind them, but for those at its end that are sent once more.
-- One that begins as it did is the whole again, and no other text is ever a continuation.
create function _chat_continued(former text, sent text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  old constant text[] := _chat_messages(former);
  new constant text[] := _chat_messages(sent);
  lines constant boolean := sent !~ '^\s*\[';
  again integer := least(cardinality(old), cardinality(new), 200);
begin
  if old is null or new is null or old[1] = new[1] or lines = (former ~ '^\s*\[') then
    return sent;
  end if;
  while old[cardinality(old) - again + 1:] <> new[:again] loop
    again := again - 1;
  end loop;
  return case when lines then array_to_string(old || new[again + 1:], E'\n')
              else format('[%s]', array_to_string(old || new[again + 1:], ', ')) end;
end
$$;

-- Adds a document, under this id if it is new; the place is that among several containers.
create function _document_put(
  new_id text, new_place integer, subject text, content text, custom_id text, metadata jsonb, title text, type text,
  url text, filepath text, task_type text, document_date timestamptz, utc_offset integer
) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := _subject_for_write(subject);
  known document;
  fallback text := 'text';
begin
  content := _check_text(content);
  -- A page becomes its text, as when it is sent as a file.
  if coalesce(_document_put.type, 'text') in ('text', 'html', 'webpage') and _page_text(content) is not null then
    content := _check_text(_page_text(content));
    fallback := 'markdown';
    _document_put.type := nullif(nullif(_document_put.type, 'text'), 'html');
  end if;
  metadata := _check_metadata(coalesce(metadata, '{}'));
  custom_id := _check_custom_id(custom_id);
  select * into known from document d where d.subject_key = key and d.custom_id = _document_put.custom_id for update;
  if known.id is null then
    insert into document (subject_key, id, place, project_id, custom_id, title, type, url, filepath, content, metadata, task_type, document_date,
                          utc_offset)
    values (key, new_id, new_place, _project(), _document_put.custom_id, _document_put.title, coalesce(_document_put.type, fallback),
            _document_put.url, _document_put.filepath, _document_put.content, _document_put.metadata, _document_put.task_type,
            _document_put.document_date, _document_put.utc_offset)
    returning * into known;
  else
    _document_put.type := coalesce(_document_put.type, _type_given(known, content), fallback);
    update document d
    set content = _document_put.content, type = _document_put.type, metadata = d.metadata || _document_put.metadata,
        title = coalesce(_document_put.title, _title_given(d, _document_put.content, _document_put.type)),
        url = coalesce(_document_put.url, d.url), filepath = coalesce(_document_put.filepath, d.filepath), task_type = _document_put.task_type,
        document_date = coalesce(_document_put.document_date, d.document_date),
        utc_offset = case when _document_put.document_date is null then d.utc_offset else _document_put.utc_offset end, updated_at = now(),
        place = case when d.id = new_id then coalesce(new_place, d.place) else d.place end
    where d.subject_key = key and d.id = known.id
    returning * into known;
  end if;
  perform _document_enqueue(known);
  update subject s set updated_at = now() where s.subject_key = key;
  return known.id;
end
$$;

create function document_add(
  subject text, content text,
  custom_id text default null, metadata jsonb default '{}', title text default null, type text default null,
  url text default null, filepath text default null, task_type text default 'memory', document_date timestamptz default null,
  utc_offset interval default null
) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return _document_put(_new_id('doc'), null, subject, content, custom_id, metadata, title, type, url, filepath, task_type, document_date,
                       extract(epoch from utc_offset)::integer);
end
$$;
comment on function document_add(text, text, text, jsonb, text, text, text, text, text, timestamptz, interval) is
  'Adds a document about a subject and returns its id; the job queue chunks it and draws memories from it (task_type superrag: chunks only). '
  'The same custom_id again replaces the content of the document that is there';

create function document_delete(subject text, id text) returns boolean
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := _subject_locked(subject);
  this constant text := (select d.id from document d
                         where d.subject_key = key and (d.id = document_delete.id or d.custom_id = document_delete.id)
                         order by d.id = document_delete.id desc limit 1);
begin
  perform _forget_unsupported(key, this, '{}', null, 'source document deleted');
  delete from document d where d.subject_key = key and d.id = this;
  return found;
end
$$;
comment on function document_delete(text, text) is
  'Deletes a document for good, with its chunks; memories that rest on it alone are forgotten. False when there was none';

-- Forgets the memories that rest on one document alone, and the profile fields that were read from it, but for those
-- that it still supports: the memories named, and what the job at work has just written. Returns how many: all, or so many.
create function _forget_unsupported(
  key uuid, source_document text, still_supported text[], current_job uuid, reason text, max_count integer default null
) returns integer
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  known memory;
  forgotten integer := 0;
begin
  for known in select m.* from memory m
  where m.subject_key = key and m.superseded_at is null and m.forgotten_at is null and m.id <> all (still_supported)
    and case when m.field_key is null then
      m.source_type = 'document'
      and exists (select from memory_source s
                  where s.subject_key = key and s.memory_id = m.id and s.document_id = source_document)
      and not exists (select from memory_source s
                      where s.subject_key = key and s.memory_id = m.id and s.document_id <> source_document)
    else
      m.job_id is distinct from current_job
      and exists (select from job j where j.subject_key = key and j.id = m.job_id and j.document_id = source_document)
    end
  limit max_count
  loop
    if known.field_key is null then
      perform _memory_close(known, 'forgotten', reason);
    else
      perform _profile_field_close(known, 'forgotten', reason);
    end if;
    forgotten := forgotten + 1;
  end loop;
  return forgotten;
end
$$;

-- Writes the signatures of a document's chunks anew, or of those from one position on and before another; those of ids that
-- are given are gone. A chunk belongs to its document as a turn does to its conversation. A session without a model keeps the
-- codes of the last one.
create function _document_sign(source document, current_model smallint, first integer default 0, behind integer default null, gone text[] default null)
returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  free integer := 0;
begin
  if gone is null then
    delete from chunk_signature s where s.subject_key = source.subject_key and s.document_id = source.id;
  else
    if gone <> '{}' then
      update chunk_signature s set signatures = rest.signatures
      from (select b.block, _signatures_without(b.signatures, gone) as signatures
            from chunk_signature b where b.subject_key = source.subject_key and b.document_id = source.id offset 0) rest
      where s.subject_key = source.subject_key and s.document_id = source.id and s.block = rest.block and s.signatures <> rest.signatures;
      delete from chunk_signature s where s.subject_key = source.subject_key and s.document_id = source.id and s.signatures = '';
    end if;
    free := coalesce((select max(s.block) + 1 from chunk_signature s where s.subject_key = source.subject_key and s.document_id = source.id), 0);
  end if;
  with model as materialized (
    select coalesce(current_model, (
             select max(m.id) from embedding_model m
             where (select e.model_id from chunk_embedding e where e.subject_key = source.subject_key and e.model_id = m.id limit 1) is not null)) as id,
           _text_search_config() as config
  ), signed as (
    select array_agg(record order by c.position, nth) as records
    from chunk c
    cross join model
    left join chunk_embedding e on e.subject_key = c.subject_key and e.model_id = model.id and e.chunk_id = c.id
    cross join lateral unnest(_signature(
      c.id, c.content, to_tsvector(model.config, c.content)::text, 0.5, null, c.document_id, c.position, _day(source.document_date), c.position,
      _microseconds(c.created_at), null, false, model.id, e.code)) with ordinality r (record, nth)
    where c.subject_key = source.subject_key and c.document_id = source.id and c.position >= first and (behind is null or c.position < behind)
  )
  insert into chunk_signature (subject_key, document_id, block, project_id, signatures)
  select source.subject_key, source.id, free + b.block, source.project_id, string_agg(b.record, '' order by b.place)
  from signed
  cross join lateral unnest(signed.records, _signature_blocks(signed.records)) with ordinality b (record, block, place)
  group by b.block
  order by b.block;
end
$$;

-- Whether the current embedding model has no vector yet for one of the document's chunks.
create function _awaits_embedding(d document) returns boolean
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
begin
  return model is not null and exists (
    select from chunk c
    where c.subject_key = d.subject_key and c.document_id = d.id
      and (select e.chunk_id from chunk_embedding e
           where e.subject_key = d.subject_key and e.model_id = model and e.chunk_id = c.id) is null
      and not exists (select from embedding_refusal r
                      where r.subject_key = d.subject_key and r.model_id = model and r.text_id = c.id and r.digest = md5(c.content)));
end
$$;

-- Chunks that one run of a job brings in line with their document, some tens of milliseconds of work.
create function _chunk_batch() returns integer
language sql immutable parallel safe
as $$
  select 256
$$;

-- Brings the next chunks of a document in line with its content, from this position on; says behind which one the next run has
-- to go on, or that it is through. A passage that is still there keeps its vector, also where new text before it has moved it
-- to another place: if it stands where another one comes to stand, and its own place is further on, it waits behind the last
-- one until then, without a signature.
create function _document_chunk(key uuid, source document, first integer, out chunks integer, out more boolean)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  contents text[];
  headings text[];
  last integer;
  waiting integer;
  former text[];
  moved integer[];
  texts text[];
  vectors chunk_embedding[];
begin
  select coalesce(array_agg(c.content order by c.position), '{}'), coalesce(array_agg(c.heading order by c.position), '{}')
  into contents, headings
  from _chunks(source.content, source.type) c;
  last := cardinality(contents);
  chunks := least(first + _chunk_batch(), last);
  more := chunks < last;
  waiting := greatest(last, (select max(c.position) + 1 from chunk c where c.subject_key = key and c.document_id = source.id));
  former := array(select c.id from chunk c
                  where c.subject_key = key and c.document_id = source.id and c.position >= first and (c.position < chunks or not more));

  with places as (
    select (first + w.place - 1)::integer as position, w.content
    from unnest(contents[first + 1:chunks]) with ordinality w (content, place)
    where not exists (select from chunk c
                      where c.subject_key = key and c.document_id = source.id and c.position = first + w.place - 1 and c.content = w.content)
    union all
    select (waiting - 1 + row_number() over ())::integer, w.content
    from (select distinct c.content from chunk c
          where c.subject_key = key and c.document_id = source.id and c.position >= first and c.position < chunks
            and c.content <> contents[c.position + 1]
            and exists (select from unnest(contents[chunks + 1:]) l (content) where l.content = c.content)) w
  )
  select array_agg(p.position), array_agg(p.content), array_agg(e) into moved, texts, vectors
  from places p
  join (select distinct on (c.content) c.content, c.id from chunk c
        where c.subject_key = key and c.document_id = source.id order by c.content, c.position) f using (content)
  join chunk_embedding e on e.subject_key = key and e.chunk_id = f.id;

  delete from chunk c
  where c.subject_key = key and c.document_id = source.id and c.position >= first
    and (c.position < chunks and c.content is distinct from contents[c.position + 1] or not more and c.position >= last);
  insert into chunk as c (subject_key, document_id, position, project_id, heading, content)
  select key, source.id, first + w.place - 1, source.project_id, w.heading, w.content
  from unnest(headings[first + 1:chunks], contents[first + 1:chunks]) with ordinality w (heading, content, place)
  on conflict (subject_key, document_id, position) do update set heading = excluded.heading
  where c.heading is distinct from excluded.heading;
  insert into chunk (subject_key, document_id, position, project_id, content)
  select distinct key, source.id, m.position, source.project_id, m.content
  from unnest(moved, texts) m (position, content)
  where m.position >= last;
  insert into chunk_embedding (subject_key, model_id, chunk_id, project_id, code, embedding, tokens)
  select key, m.model_id, source.id || '_' || m.position, source.project_id, m.code, m.embedding, m.tokens
  from unnest(moved, vectors) m (position, subject_key, model_id, chunk_id, project_id, code, embedding, tokens)
  on conflict do nothing;
  perform _document_sign(source, _embedding_model_id(), first, chunks, former);
end
$$;
