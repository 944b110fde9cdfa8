-- Memories: the only store of facts. A profile field is a memory with a field_key; documents, chunks and messages are
-- sources; everything that an API answers is a projection of these rows.
--
-- Nothing is overwritten: a new version is a new row, the old one is marked superseded, and a relation "updates" says
-- so. A row is current while superseded_at and forgotten_at are null and forget_after has not passed.

create table memory (
  subject_key uuid not null,
  id text collate "C" not null check (id ~ '^[!-~]{1,100}$'),
  project_id uuid not null,
  content text not null check (content <> '' and length(content) <= 10000),
  kind text not null default 'fact'
    check (kind in ('fact', 'preference', 'context', 'note', 'event', 'trait', 'profile_field')),
  is_static boolean not null default false,
  is_inference boolean not null default false,
  review_status text check (review_status in ('approved', 'declined')),
  importance real not null default 0.5 check (importance between 0 and 1),
  confidence real not null default 0.95 check (confidence between 0 and 1),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  field_key text,
  field_value jsonb,
  version integer not null default 1 check (version >= 1),
  parent_id text collate "C",
  root_id text collate "C" not null,
  superseded_at timestamptz,
  superseded_by text collate "C",
  forgotten_at timestamptz,
  forget_reason text,
  forget_after timestamptz,
  source_type text not null default 'api'
    check (source_type in ('chat', 'manual', 'api', 'inferred', 'document')),
  speaker text,
  conversation_id text,
  sequence integer,
  event_date timestamptz,
  seen_count integer not null default 1,
  last_seen_at timestamptz not null default now(),
  job_id uuid,
  ordinal bigint not null,
  signature_block bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  check ((kind = 'profile_field') = (field_key is not null))
);
comment on table memory is 'What is known about each subject, with every earlier version';
comment on column memory.field_key is 'The profile field that a memory of kind profile_field states';
comment on column memory.signature_block is 'The block of memory_signature that holds, or last held, what a search reads of it';
comment on column memory.ordinal is 'The place in the order of writing, in microseconds: neighbours of a text tell what it is about';

create unique index memory_profile_field on memory (subject_key, field_key)
  where field_key is not null and superseded_at is null and forgotten_at is null;
create index memory_current on memory (subject_key, created_at)
  where superseded_at is null and forgotten_at is null;
create index memory_content on memory (subject_key, hashtextextended(content, 0))
  where superseded_at is null;

create table memory_relation (
  subject_key uuid not null,
  from_id text collate "C" not null,
  to_id text collate "C" not null,
  relation text not null check (relation in ('updates', 'extends', 'derives', 'supports', 'duplicates', 'related')),
  project_id uuid not null,
  reason text,
  created_at timestamptz not null default now(),
  primary key (subject_key, from_id, to_id, relation),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, from_id) references memory (subject_key, id) on delete cascade,
  foreign key (subject_key, to_id) references memory (subject_key, id) on delete cascade
);
create index memory_relation_to on memory_relation (subject_key, to_id);
comment on table memory_relation is 'How memories relate; from_id is the newer one, which updates, extends or derives from to_id';

-- Embedding models and vectors ------------------------------------------------------------------------------------------

create table embedding_model (
  id smallint generated always as identity primary key,
  name text not null unique check (name ~ '^[a-zA-Z0-9_.-]{1,100}$'),
  dimension integer not null check (dimension between 1 and 16000),
  sha256 text not null,
  scoring jsonb not null default '{}' check (_check_scoring(scoring)),
  created_at timestamptz not null default now()
);
comment on column embedding_model.scoring is
  'Weights and calibration fitted for this model, where they differ from those for all-MiniLM-L6-v2; the setting scoring of a project goes before them';
comment on table embedding_model is 'Embedding models whose vectors this database holds';
comment on column embedding_model.sha256 is 'Checksum of the checkpoint: vectors of another checkpoint are not comparable';

-- Vectors stand in a table of their own, and a row of it in one piece: the limit above which PostgreSQL moves values out
-- of line, 2 kB, lies just below a vector with its token codes, and fetching them back makes every read dearer.
create table memory_embedding (
  subject_key uuid not null,
  model_id smallint not null references embedding_model,
  memory_id text collate "C" not null,
  project_id uuid not null,
  code bytea not null,
  embedding halfvec not null,
  tokens bytea not null,
  primary key (subject_key, model_id, memory_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, memory_id) references memory (subject_key, id) on delete cascade
) with (toast_tuple_target = 8160);
alter table memory_embedding alter column tokens set storage external;
comment on table memory_embedding is 'The meaning of each memory as a vector, per embedding model';
comment on column memory_embedding.code is 'The signs of the vector, a bit each, and one over the sum of its absolute values, for estimates of the cosine';
comment on column memory_embedding.tokens is 'The signs of the vector of every token of the text, a bit each, for late interaction';

-- What a search reads of every current memory, some to a block; src/rules/src/signature.rs has the layout. The blocks
-- lie in the primary key, subject by subject, so a search reads them in one go and never looks into the table itself
-- once that has been vacuumed. Part 0 of a block describes memories, further parts hold what is too long for it.
create table memory_signature (
  subject_key uuid not null,
  block bigint not null,
  part smallint not null,
  project_id uuid not null,
  signatures bytea not null,
  -- Nothing is written between the blocks of a subject, so no room is left for it.
  primary key (subject_key, block, part) include (project_id, signatures) with (fillfactor = 100),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
alter table memory_signature alter column signatures set storage plain;
comment on table memory_signature is 'The words of the current memories, and what else a search scores';

select _isolate('memory');
select _isolate('memory_relation');
select _isolate('memory_embedding');
select _isolate('memory_signature');

-- What follows is called for every text that is written, so it is PL/pgSQL: an SQL function with a SET clause is not
-- inlined, and PostgreSQL before 18 plans it anew for every statement that calls it.

-- The words of a text as the project's text search configuration sees them, with how often each occurs.
create function _lexemes(content text, out lexemes text[], out counts integer[])
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  words constant tsvector := to_tsvector((project_setting('text_search_config') #>> '{}')::regconfig, content);
begin
  select coalesce(array_agg(lexeme), '{}'), coalesce(array_agg(coalesce(cardinality(positions), 1)), '{}')
  into lexemes, counts
  from unnest(words);
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
create function _memory_records(m memory, model smallint, code bytea) returns bytea[]
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  words constant record := _lexemes(m.content);
begin
  return _signature(m.id, m.content, words.lexemes, words.counts, m.importance, m.speaker, m.conversation_id, m.sequence, _day(m.event_date),
                    m.ordinal, _microseconds(m.updated_at), _microseconds(m.forget_after), m.forgotten_at is not null, model, code);
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
  end if;
  if cardinality(records) > 1 then
    insert into memory_signature (subject_key, block, part, project_id, signatures)
    select m.subject_key, last.block, coalesce(max(s.part), 0) + nth, m.project_id, records[nth + 1]
    from generate_series(1, cardinality(records) - 1) nth
    left join memory_signature s on s.subject_key = m.subject_key and s.block = last.block
    group by nth;
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
  from (select b.part, _signatures_without(b.signatures, m.id) as signatures
        from memory_signature b where b.subject_key = m.subject_key and b.block = m.signature_block) rest
  where s.subject_key = m.subject_key and s.block = m.signature_block and s.part = rest.part and s.signatures <> rest.signatures;
  delete from memory_signature s
  where s.subject_key = m.subject_key and s.block = m.signature_block and s.part > 0 and s.signatures = '';
  delete from memory_embedding e where e.subject_key = m.subject_key and e.memory_id = m.id;
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
  end if;
  return null;
end
$$;

-- Whatever changes a memory, its signature follows; an earlier version is not searched, so it needs neither that nor a
-- vector. A new memory is signed by _memory_insert(), so that the rows of a dump, which bring their signatures along,
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
  first_block bigint := 0;
  signed bigint;
begin
  model := coalesce(model, (select max(e.model_id) from memory_embedding e where e.subject_key = key));
  if new_ids is null then
    delete from memory_signature s where s.subject_key = key;
    new_ids := array(select m.id from memory m where m.subject_key = key and m.superseded_at is null);
  else
    first_block := coalesce((select s.block + 1 from memory_signature s where s.subject_key = key order by s.block desc limit 1), 0);
    new_ids := array(select m.id from memory m where m.subject_key = key and m.id = any (new_ids) and m.superseded_at is null and m.signature_block < 0);
  end if;
  with signed as materialized (
    select m.id, m.project_id, m.ordinal, _memory_records(m, model, e.code) as records
    from unnest(new_ids) n (id)
    join memory m on m.subject_key = key and m.id = n.id
    left join memory_embedding e on e.subject_key = m.subject_key and e.model_id = model and e.memory_id = m.id
  ), packed as materialized (
    select first_block + b.block as block, b.place, signed.*
    from (select array_agg(id order by ordinal, id) as ids, array_agg(records[1] order by ordinal, id) as records from signed) a
    cross join lateral unnest(a.ids, _signature_blocks(a.records)) with ordinality b (id, block, place)
    join signed using (id)
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
    where m.subject_key = key and m.id = packed.id and m.signature_block <> packed.block
  )
  select count(*) into signed from packed;
  return signed;
end
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
  if known.sha256 <> model.sha256 then
    raise object_not_in_prerequisite_state using
      message = format('the checkpoint of embedding model "%s" has changed', model.name),
      detail = 'This database holds vectors of another checkpoint under that name; they are not comparable.',
      hint = 'Put the former checkpoint back, or pack the new one under another name and set memory_profile.embedding_model.';
  end if;
  return known.id;
end
$$;

-- Gives vectors to memories of a subject that have none for the current model, all or so many, and returns how many.
create function _embed_memories(key uuid, max_count integer default null) returns integer
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model smallint := _embedding_model_id();
  embedded integer;
begin
  if model is null then
    return 0;
  end if;
  with embedded as (
    insert into memory_embedding (subject_key, model_id, memory_id, project_id, code, embedding, tokens)
    select m.subject_key, model, m.id, m.project_id, e.code, e.embedding, e.tokens
    from (
      -- Block by block, so that none is written more often than it must be.
      select lacking.id
      from memory_signature s
      cross join lateral unnest(_signatures_lacking(s.signatures, model)) lacking (id)
      where s.subject_key = key and s.part = 0
        -- One look-up by the whole key for each memory. As "not exists" it would be a join, and of a subject that is being
        -- filled the planner knows so little that it compares every memory with every vector.
        and (select e.memory_id from memory_embedding e
             where e.subject_key = key and e.model_id = model and e.memory_id = lacking.id) is null
      order by s.block
      limit max_count
    ) lacking
    join memory m on m.subject_key = key and m.id = lacking.id
    cross join lateral _encode(m.content) e
    on conflict do nothing
    returning memory_id, code
  ), coded as (
    update memory_signature s set signatures = _signatures_coded(s.signatures, b.ids, model, b.codes)
    from (select m.signature_block as block, array_agg(m.id) as ids, array_agg(e.code) as codes
          from embedded e join memory m on m.subject_key = key and m.id = e.memory_id
          group by m.signature_block) b
    where s.subject_key = key and s.block = b.block and s.part = 0
  )
  select count(*) into embedded from embedded;
  return embedded;
end
$$;

-- Writing ----------------------------------------------------------------------------------------------------------------

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

-- A memory with its place in what was said, as its metadata has it, where it is not given otherwise: speaker,
-- conversationId, sequence, and date or, as Supermemory has it, temporalContext.eventDate and documentDate.
create function _memory_placed(m memory) returns memory
language plpgsql immutable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  m.speaker := coalesce(m.speaker, m.metadata ->> 'speaker');
  m.conversation_id := coalesce(m.conversation_id, m.metadata ->> 'conversationId');
  m.sequence := coalesce(m.sequence, _integer_or_null(m.metadata ->> 'sequence'));
  m.event_date := coalesce(
    m.event_date,
    _timestamp_or_null(m.metadata ->> 'date'),
    _timestamp_or_null(m.metadata #>> '{temporalContext.eventDate,0}'),
    _timestamp_or_null(m.metadata ->> 'temporalContext.eventDate'),
    _timestamp_or_null(m.metadata ->> 'temporalContext.documentDate'));
  return m;
end
$$;

-- The one place that makes a memory row. The caller has locked the subject and filled in what it knows; a predecessor
-- is superseded, and its version chain goes on. Who writes many at once says that no vector is to be made, and signs them
-- together with _memories_sign(): one by one they would write the same block over and over.
create function _memory_insert(new memory, predecessor memory default null, embed boolean default true) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
  meaning record;
begin
  new.id := coalesce(new.id, _new_id('mem'));
  new.project_id := _project();
  new.kind := coalesce(new.kind, 'fact');
  new.is_static := coalesce(new.is_static, false);
  new.is_inference := coalesce(new.is_inference, false);
  new.importance := coalesce(new.importance, 0.5);
  new.confidence := coalesce(new.confidence, 0.95);
  new.metadata := coalesce(new.metadata, '{}');
  new.source_type := coalesce(new.source_type, 'api');
  new.created_at := coalesce(new.created_at, now());
  new.updated_at := coalesce(new.updated_at, new.created_at);
  new.seen_count := coalesce(new.seen_count, 1);
  new.last_seen_at := coalesce(new.last_seen_at, new.updated_at);
  new := _memory_placed(new);
  new.ordinal := coalesce(new.ordinal, predecessor.ordinal, _microseconds(clock_timestamp()));
  if predecessor.id is null then
    new.version := coalesce(new.version, 1);
    new.root_id := coalesce(new.root_id, new.id);
  else
    new.version := predecessor.version + 1;
    new.parent_id := predecessor.id;
    new.root_id := predecessor.root_id;
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
  end if;
  if predecessor.id is not null then
    insert into memory_relation (subject_key, from_id, to_id, relation, project_id, created_at)
    values (new.subject_key, new.id, predecessor.id, 'updates', new.project_id, new.created_at);
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
    where subject_key = key and superseded_at is null
      and hashtextextended(content, 0) = hashtextextended(exact_content, 0) and content = exact_content
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
set search_path = pg_catalog, memory_profile, pg_temp
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

-- Remembers one text under the subject's lock; exactly the same text again reinforces the current memory.
create function _memory_write(key uuid, attributes jsonb, embed boolean) returns memory
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  new memory := jsonb_populate_record(null::memory, attributes);
  known memory;
begin
  new.subject_key := key;
  new.content := _check_content(new.content);
  new.metadata := _check_metadata(coalesce(new.metadata, '{}'));
  perform _check_memory(new);
  known := _memory_find(key, null, new.content);
  if known.id is not null and _is_current(known) then
    update memory
    set seen_count = seen_count + 1, last_seen_at = now(), is_static = is_static or coalesce(new.is_static, false),
        importance = greatest(importance, coalesce(new.importance, 0)),
        forget_after = case when new.forget_after is null then forget_after else new.forget_after end
    where subject_key = key and id = known.id
    returning * into known;
    return known;
  end if;
  return _memory_insert(new, null, embed);
end
$$;

create function memories_add(subject text, memories jsonb)
returns table (id text, memory text, is_static boolean, created_at timestamptz, forget_after timestamptz, forget_reason text)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid;
  item jsonb;
  written memory;
  inline boolean;
  ids text[] := '{}';
begin
  if jsonb_typeof(memories) is distinct from 'array' then
    raise invalid_parameter_value using message = 'memories must be a JSON array';
  end if;
  key := _subject_for_write(subject);
  inline := jsonb_array_length(memories) <= (project_setting('inline_embedding_limit') #>> '{}')::integer;
  for item in select value from jsonb_array_elements(memories) loop
    if jsonb_typeof(item) is distinct from 'object' then
      raise invalid_parameter_value using message = 'each memory must be a JSON object with "content"';
    end if;
    written := _memory_write(key, _memory_attributes(item), inline);
    ids := ids || written.id;
    id := written.id;
    memory := written.content;
    is_static := written.is_static;
    created_at := written.created_at;
    forget_after := written.forget_after;
    forget_reason := written.forget_reason;
    return next;
  end loop;
  if not inline then
    perform _memories_sign(key, null, ids);
    perform _job_enqueue(key, 'embed', null);
  end if;
end
$$;
comment on function memories_add(text, jsonb) is
  'Remembers an array of objects with content and, optionally, is_static, metadata, kind, importance, confidence, forget_after and forget_reason; '
  'more than the setting inline_embedding_limit get their vectors from the job queue';

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
  key uuid := subject_key(subject);
  old memory;
  new memory;
begin
  perform from subject s where s.subject_key = key for update;
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
  key uuid := subject_key(subject);
  target memory;
begin
  perform from subject s where s.subject_key = key for update;
  target := _memory_or_error(key, memory_id, exact_content);
  if target.forgotten_at is not null then
    raise object_not_in_prerequisite_state using
      message = 'memory is already forgotten',
      detail = format('Memory "%s" was forgotten at %s.', target.id, _iso(target.forgotten_at));
  end if;
  update memory m set forgotten_at = now(), forget_reason = coalesce(reason, m.forget_reason)
  where m.subject_key = key and m.id = target.id
  returning * into target;
  update subject s set updated_at = now() where s.subject_key = key;
  return target;
end
$$;

create function memory_relate(subject text, from_id text, to_id text, relation text, reason text default null) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := subject_key(subject);
begin
  if relation not in ('extends', 'derives', 'supports', 'duplicates', 'related') then
    raise invalid_parameter_value using
      message = format('invalid relation "%s"', relation),
      hint = 'relation is extends, derives, supports, duplicates or related; memory_update() records updates.';
  end if;
  perform from subject s where s.subject_key = key for update;
  perform _memory_or_error(key, from_id, null), _memory_or_error(key, to_id, null);
  insert into memory_relation (subject_key, from_id, to_id, relation, project_id, reason)
  values (key, memory_relate.from_id, memory_relate.to_id, memory_relate.relation, _project(), memory_relate.reason)
  on conflict do nothing;
  update memory m set is_inference = true
  where memory_relate.relation = 'derives' and m.subject_key = key and m.id = memory_relate.from_id;
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
    and (filters is null or _filter_matches(filters, m.metadata))
  order by m.created_at desc, m.id desc
  limit max_results offset skip;
end
$$;
comment on function memory_list(text, jsonb, integer, integer) is 'The current memories of a subject, newest first';

create function memory_history(subject text, memory_id text)
returns table (id text, memory text, version integer, relation text, source_type text, confidence real, created_at timestamptz,
               superseded_at timestamptz, superseded_by text, forgotten_at timestamptz, forget_reason text)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key uuid := subject_key(subject);
  head memory := _memory_or_error(key, memory_id, null);
begin
  return query
  select m.id, m.content, m.version, r.relation, m.source_type, m.confidence, m.created_at,
         m.superseded_at, m.superseded_by, m.forgotten_at, m.forget_reason
  from memory m
  left join memory_relation r
    on r.subject_key = key and r.from_id = m.id and r.to_id = m.parent_id and r.relation = 'updates'
  where m.subject_key = key and m.root_id = head.root_id
  order by m.version, m.id;
end
$$;
comment on function memory_history(text, text) is 'Every version of a memory, oldest first; memory_id may name any of them';
