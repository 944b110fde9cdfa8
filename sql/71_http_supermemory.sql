-- Supermemory: POST /v4/profile and /v4/search, and the memories behind them. A container is a subject.

-- Metadata as it goes out. It is stored flat; the dates of a memory, which this API groups under temporalContext, are
-- the keys temporalContext.documentDate and temporalContext.eventDate.
create function memory_profile_http._metadata_out(metadata jsonb) returns jsonb
language sql immutable parallel safe
as $$
  select case when metadata ?| '{temporalContext.documentDate,temporalContext.eventDate}' then
    metadata - '{temporalContext.documentDate,temporalContext.eventDate}'::text[]
    || jsonb_build_object('temporalContext', jsonb_strip_nulls(jsonb_build_object(
         'documentDate', metadata -> 'temporalContext.documentDate', 'eventDate', metadata -> 'temporalContext.eventDate')))
  else metadata end
$$;

-- Search -------------------------------------------------------------------------------------------------------------

-- What stands around a memory: parents, the versions before it and what it extends or derives from; children, the
-- versions after it and what extends or derives from it. `version` is the distance. The latter also appear as related.
create function memory_profile_http._memory_context(key uuid, memory_id text, with_forgotten boolean) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  return (
    with recursive older as (
      select m.parent_id as id, -1 as distance from memory m where m.subject_key = key and m.id = memory_id
      union all
      select m.parent_id, o.distance - 1 from older o join memory m on m.subject_key = key and m.id = o.id
    ), newer as (
      select m.superseded_by as id, 1 as distance from memory m where m.subject_key = key and m.id = memory_id
      union all
      select m.superseded_by, n.distance + 1 from newer n join memory m on m.subject_key = key and m.id = n.id
    ), neighbour as (
      select id, distance, 'updates' as relation from older
      union all select id, distance, 'updates' from newer
      union all select r.to_id, -1, r.relation from memory_relation r
      where r.subject_key = key and r.from_id = memory_id and r.relation in ('extends', 'derives')
      union all select r.from_id, 1, r.relation from memory_relation r
      where r.subject_key = key and r.to_id = memory_id and r.relation in ('extends', 'derives')
    ), shown as (
      select n.distance, n.relation, m.created_at, m.id,
             jsonb_build_object('relation', n.relation, 'memory', m.content, 'metadata', _metadata_out(m.metadata),
                                'updatedAt', _iso(m.updated_at)) as item
      from neighbour n
      join memory m on m.subject_key = key and m.id = n.id
      where with_forgotten or (m.forgotten_at is null and (m.forget_after is null or m.forget_after > now()))
    )
    select jsonb_build_object(
      'parents', coalesce(jsonb_agg(item || jsonb_build_object('version', distance) order by distance desc, relation desc, created_at, id)
                          filter (where distance < 0), '[]'),
      'children', coalesce(jsonb_agg(item || jsonb_build_object('version', distance) order by distance, relation desc, created_at, id)
                           filter (where distance > 0), '[]'),
      'related', coalesce(jsonb_agg(item order by created_at, id) filter (where relation <> 'updates'), '[]'))
    from shown
  );
end
$$;

-- The documents that a result comes from: of a chunk its own, of a memory its sources.
create function memory_profile_http._source_documents(key uuid, memory_id text, chunk_document text)
returns setof memory_profile.document
language plpgsql stable rows 1
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  return query
  select d.*
  from document d
  where d.subject_key = key
    and d.id in (select s.document_id from memory_source s where s.subject_key = key and s.memory_id = _source_documents.memory_id
                 union all select chunk_document)
  order by d.created_at, d.id;
end
$$;

create function memory_profile_http._matches_filepath(filepath text, wanted text) returns boolean
language sql immutable parallel safe
as $$
  select case when wanted like '%/' then starts_with(filepath, wanted) else filepath = wanted end
$$;

-- The passages of the whole search that lie in one of these documents, best first.
create function memory_profile_http._passages_of(passages jsonb, documents text[]) returns jsonb
language sql immutable parallel safe
as $$
  select coalesce(jsonb_agg(passage order by ordinality), '[]')
  from jsonb_array_elements(passages) with ordinality p (passage, ordinality)
  where passage ->> 'documentId' = any (documents)
$$;

-- Runs a search over some subjects, or over all that the key may see, and renders it with the extras asked for.
create function memory_profile_http._search(
  subjects text[], q text, threshold double precision, filters jsonb, max_results integer, mode text default 'memories',
  include jsonb default '{}', filepath text default null, rerank boolean default false, rewrite_query boolean default false,
  embedding real[] default null) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  began constant timestamptz := clock_timestamp();
  with_documents constant boolean := _boolean_member(include, 'documents', 'include.');
  with_summaries constant boolean := _boolean_member(include, 'summaries', 'include.');
  with_related constant boolean := _boolean_member(include, 'relatedMemories', 'include.');
  with_forgotten constant boolean := _boolean_member(include, 'forgottenMemories', 'include.');
  with_chunks constant boolean := _boolean_member(include, 'chunks', 'include.');
  -- A path is looked up after the search, so the search must not stop at the limit.
  depth constant integer := case when filepath is null then max_results else 1000 end;
  passages jsonb;
  results jsonb;
begin
  if with_chunks then
    select jsonb_agg(jsonb_build_object('content', c.chunk, 'score', round(c.similarity::numeric, 4), 'documentId', c.document_id,
                                        'position', substr(c.id, length(c.document_id) + 2)::integer) order by c.similarity desc, c.id)
    into passages
    from unnest(coalesce(subjects, array[null::text])) scope (subject)
    cross join lateral memory_search(scope.subject, q, 0, filters, 100, 'documents', embedding => _search.embedding) c;
  end if;
  with found as (
    select r.*, subject_key(r.subject) as subject_key, row_number() over (order by r.similarity desc, r.ordinality) as rank
    from unnest(coalesce(subjects, array[null::text])) scope (subject)
    cross join lateral memory_search(scope.subject, q, threshold, filters, depth, mode, with_forgotten, rerank, rewrite_query, _search.embedding)
      with ordinality r (id, memory, chunk, similarity, metadata, version, updated_at, subject, kind, is_static, root_id, document_id,
                         created_at, score, ordinality)
  ), kept as (
    select f.*, source.ids, source.paths, source.items
    from found f
    cross join lateral (
      select array_agg(d.id) as ids, array_agg(d.filepath) as paths,
             coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'createdAt', _iso(d.created_at), 'updatedAt', _iso(d.updated_at))
               || case when with_documents then jsonb_build_object('title', d.title, 'type', d.type, 'metadata', d.metadata) else '{}' end
               || case when with_summaries then jsonb_build_object('summary', d.summary) else '{}' end), '[]') as items
      from _source_documents(f.subject_key, case when f.memory is not null then f.id end, f.document_id) d
      where with_documents or with_summaries or with_chunks or _search.filepath is not null
    ) source
    where _search.filepath is null or exists (select from unnest(source.paths) path where _matches_filepath(path, _search.filepath))
    order by f.rank
    limit max_results
  )
  select coalesce(jsonb_agg(
    jsonb_build_object('id', k.id, 'metadata', _metadata_out(k.metadata), 'updatedAt', _iso(k.updated_at),
                       'similarity', round(k.similarity::numeric, 4), 'version', coalesce(k.version, 1))
    || case when k.memory is not null then jsonb_build_object('memory', k.memory, 'rootMemoryId', nullif(k.root_id, k.id))
            else jsonb_build_object('chunk', k.chunk) end
    || case when with_related and k.memory is not null
            then jsonb_build_object('context', _memory_context(k.subject_key, k.id, with_forgotten)) else '{}' end
    || case when with_documents or with_summaries then jsonb_build_object('documents', k.items) else '{}' end
    || case when with_chunks and k.memory is not null
            then jsonb_build_object('chunks', _passages_of(coalesce(passages, '[]'), k.ids)) else '{}' end
    || case when _search.filepath is not null then jsonb_build_object('filepath', k.paths[1]) else '{}' end
    order by k.rank), '[]')
  into results
  from kept k;
  return jsonb_build_object('results', results, 'total', jsonb_array_length(results),
    'timing', round((extract(epoch from clock_timestamp() - began) * 1000)::numeric, 1));
end
$$;

create function memory_profile_http.v4_search(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  q constant text := _string_member(body, 'q', required => true);
  include constant jsonb := coalesce(_object_member(body, 'include'), '{}');
  -- Asking for chunks alone has always meant the hybrid search.
  mode constant text := _choice_member(body, 'searchMode', '{memories,hybrid,documents}',
    case when _boolean_member(include, 'chunks', 'include.') then 'hybrid' else 'memories' end);
  answer response;
begin
  if _boolean_member(body, 'aggregate') then
    perform _invalid('aggregate', 'is not supported: results are the stored memories, never texts made up from them');
  end if;
  answer.body := _search(
    _container_tags(body), q, _number_member(body, 'threshold', 0, 1, 0.6), _filters_member(body),
    _integer_member(body, 'limit', 1, 100, 10), mode, include, _string_member(body, 'filepath'),
    _boolean_member(body, 'rerank'), _boolean_member(body, 'rewriteQuery'), _embedding_member(body));
  return answer;
end
$$;

-- Profile ------------------------------------------------------------------------------------------------------------

create function memory_profile_http.v4_profile(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tag constant text := _container_tag(body);
  q constant text := nullif(btrim(_string_member(body, 'q')), '');
  threshold constant double precision := _number_member(body, 'threshold', 0, 1, 0.6);
  filters constant jsonb := _filters_member(body);
  topics constant jsonb := coalesce(project_setting('profile_buckets'), '[]');
  sections constant text[] := coalesce(_strings_member(body, 'include', '{static,dynamic,buckets}'),
                                       case topics when '[]' then '{static,dynamic}' else '{static,dynamic,buckets}' end::text[]);
  buckets constant text[] := _strings_member(body, 'buckets');
  profile jsonb;
  answer response;
begin
  if not subject_exists(tag) and project_setting('unknown_container') = '"not_found"' then
    perform _fail(404, 'not_found', 'Container not found', format('Nothing has been stored for the container "%s".', tag));
  end if;
  select jsonb_build_object(
           'static', coalesce(jsonb_agg(p.memory order by p.ordinality) filter (where p.section = 'static'), '[]'),
           'dynamic', coalesce(jsonb_agg(p.memory order by p.ordinality) filter (where p.section = 'dynamic'), '[]'))
  into profile
  from profile_memories(tag, filters) with ordinality p (section, id, memory, kind, metadata, updated_at, ordinality);
  if 'buckets' = any (sections) then
    profile := profile || jsonb_build_object('buckets', coalesce((
      select jsonb_object_agg(t ->> 'key', coalesce(found.memories, '[]'))
      from jsonb_array_elements(topics) t
      left join (select b.bucket, jsonb_agg(b.memory order by b.ordinality) as memories
                 from profile_buckets(tag, filters, buckets) with ordinality b group by b.bucket) found on found.bucket = t ->> 'key'
      where buckets is null or t ->> 'key' = any (buckets)), '{}'));
  end if;
  answer.body := jsonb_build_object('profile', profile - array(select key from jsonb_object_keys(profile) key where key <> all (sections)));
  if q is not null then
    answer.body := answer.body || jsonb_build_object('searchResults', _search(array[tag], q, threshold, filters, 10, embedding => _embedding_member(body)));
  end if;
  return answer;
end
$$;

create function memory_profile_http.v4_profile_buckets(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  answer response;
begin
  perform _container_tag(body);
  answer.body := jsonb_build_object('buckets', coalesce(project_setting('profile_buckets'), '[]'));
  return answer;
end
$$;

-- Memories -----------------------------------------------------------------------------------------------------------

-- The dates of a memory: {documentDate, eventDate[]}, as metadata; NULL when there are none.
create function memory_profile_http._temporal_metadata(body jsonb, place text default '') returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  context constant jsonb := _object_member(body, 'temporalContext', place);
  inside constant text := place || 'temporalContext.';
  event_dates constant text[] := _strings_member(context, 'eventDate', place => inside);
begin
  perform _timestamp_member(context, 'documentDate', inside),
          (select count(_timestamp_member(jsonb_build_object(format('eventDate[%s]', ordinality - 1), date),
                                          format('eventDate[%s]', ordinality - 1), inside))
           from unnest(event_dates) with ordinality d (date, ordinality));
  return nullif(jsonb_strip_nulls(jsonb_build_object(
    'temporalContext.documentDate', context -> 'documentDate', 'temporalContext.eventDate', to_jsonb(event_dates))), '{}');
end
$$;

-- The day that a memory is about, of its temporal metadata.
create function memory_profile_http._event_date(temporal jsonb) returns text
language sql immutable parallel safe
as $$
  select coalesce(temporal #>> '{temporalContext.eventDate,0}', temporal ->> 'temporalContext.documentDate')
$$;

create function memory_profile_http.v4_memories_create(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tag constant text := _container_tag(body);
  item jsonb;
  place text;
  temporal jsonb;
  memories jsonb := '[]';
  answer response;
begin
  for item, place in
    select m.value, format('memories[%s].', m.ordinality - 1)
    from jsonb_array_elements(_array_member(body, 'memories', 1, 100, required => true)) with ordinality m
  loop
    if jsonb_typeof(item) <> 'object' then
      perform _invalid(rtrim(place, '.'), 'must be an object');
    end if;
    temporal := _temporal_metadata(item, place);
    memories := memories || jsonb_strip_nulls(jsonb_build_object(
      'content', _string_member(item, 'content', required => true, max_length => 10000, place => place),
      'is_static', _boolean_member(item, 'isStatic', place),
      'metadata', coalesce(_metadata_member(item, place), '{}') || coalesce(temporal, '{}'),
      'event_date', _timestamp_or_null(_event_date(temporal)),
      'forget_after', _timestamp_member(item, 'forgetAfter', place),
      'forget_reason', _string_member(item, 'forgetReason', place => place)));
  end loop;
  select jsonb_build_object('documentId', null, 'memories', jsonb_agg(jsonb_build_object(
           'id', m.id, 'memory', m.memory, 'isStatic', m.is_static, 'createdAt', _iso(m.created_at),
           'forgetAfter', _iso(m.forget_after), 'forgetReason', m.forget_reason) order by m.ordinality))
  into answer.body
  from memories_add(tag, memories) with ordinality m (id, memory, is_static, created_at, forget_after, forget_reason, ordinality);
  answer.status := 201;
  return answer;
end
$$;

-- Which memory a body means: id, or content, its exact text.
create function memory_profile_http._named_memory(body jsonb, tag text) returns memory_profile.memory
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  memory_id constant text := _string_member(body, 'id');
  exact_content constant text := _string_member(body, 'content');
  found_memory memory;
begin
  if memory_id is null and exact_content is null then
    perform _invalid('id', 'or content is required');
  end if;
  found_memory := _memory_find(subject_key(tag), memory_id, exact_content);
  if found_memory.id is null then
    perform _fail(404, 'memory_not_found', 'Memory not found',
      case when memory_id is not null then format('The container "%s" has no memory with the id "%s".', tag, memory_id)
           else format('The container "%s" has no memory with exactly this content.', tag) end
      || case when memory_id like 'doc\_%' then ' This is the id of a document.' else '' end);
  end if;
  return found_memory;
end
$$;

create function memory_profile_http.v4_memories_update(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tag constant text := _container_tag(body);
  new_content constant text := _string_member(body, 'newContent', required => true, max_length => 10000);
  metadata constant jsonb := _metadata_member(body);
  temporal constant jsonb := _temporal_metadata(body);
  forget_after constant timestamptz := _timestamp_member(body, 'forgetAfter');
  forget_reason constant text := _string_member(body, 'forgetReason');
  old constant memory := _named_memory(body, tag);
  changes jsonb := '{}';
  revised memory;
  answer response;
begin
  if metadata is not null or temporal is not null then
    changes := jsonb_build_object('metadata', coalesce(metadata, old.metadata) || coalesce(temporal, (
      select jsonb_object_agg(key, value) from jsonb_each(old.metadata) where starts_with(key, 'temporalContext.')), '{}'));
  end if;
  if temporal is not null then
    changes := changes || jsonb_build_object('event_date', _timestamp_or_null(_event_date(temporal)));
  end if;
  -- Left out, the expiry is inherited; null clears it.
  if body ? 'forgetAfter' then
    changes := changes || jsonb_build_object('forget_after', forget_after);
  end if;
  if forget_reason is not null then
    changes := changes || jsonb_build_object('forget_reason', forget_reason);
  end if;
  revised := _memory_revise(tag, old.id, null, new_content, changes);
  answer.body := jsonb_build_object(
    'id', revised.id, 'memory', revised.content, 'version', revised.version, 'parentMemoryId', revised.parent_id,
    'rootMemoryId', revised.root_id, 'createdAt', _iso(revised.created_at), 'forgetAfter', _iso(revised.forget_after),
    'forgetReason', revised.forget_reason, 'metadata', _metadata_out(revised.metadata));
  return answer;
end
$$;

create function memory_profile_http.v4_memories_forget(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tag constant text := _container_tag(body);
  reason constant text := _string_member(body, 'reason');
  answer response;
begin
  answer.body := jsonb_build_object('id', memory_forget(tag, (_named_memory(body, tag)).id, reason), 'forgotten', true);
  return answer;
end
$$;

create function memory_profile_http.v4_memories_forget_matching(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tag constant text := _container_tag(body);
  query constant text := nullif(btrim(_string_member(body, 'query')), '');
  ids constant text[] := _strings_member(body, 'ids', lowest => 1, highest => 500);
  dry_run constant boolean := _boolean_member(body, 'dryRun');
  threshold constant double precision := _number_member(body, 'threshold', 0, 1, 0.5);
  max_forget constant integer := _integer_member(body, 'maxForget', 1, 500, 100);
  reason constant text := _string_member(body, 'reason');
  matching jsonb;
  answer response;
begin
  if (query is null) = (ids is null) then
    perform _invalid('query', 'or ids is required, and not both');
  end if;
  perform from subject s where s.subject_key = subject_key(tag) for update;
  select coalesce(jsonb_agg(jsonb_build_object('id', m.id, 'memory', m.memory, 'score', round(m.score::numeric, 4)) order by m.score desc, m.id), '[]')
  into matching
  from (
    select s.id, s.memory, s.similarity as score from memory_search(tag, query, threshold, null, max_forget) s where query is not null
    union all
    (select f.id, f.content, 1 from memory f
     where f.subject_key = subject_key(tag) and f.id in (select (_memory_find(subject_key(tag), named, null)).id from unnest(ids) named)
       and _is_current(f)
     order by f.id limit max_forget)
  ) m;
  if not dry_run then
    perform memory_forget(tag, m ->> 'id', reason) from jsonb_array_elements(matching) m;
  end if;
  answer.body := jsonb_build_object(
    'dryRun', dry_run, 'count', jsonb_array_length(matching), 'forgetBatchId', null,
    'summary', format('%s %s', case jsonb_array_length(matching) when 1 then '1 memory' else jsonb_array_length(matching) || ' memories' end,
                      case when not dry_run then 'forgotten' when jsonb_array_length(matching) = 1 then 'matches' else 'match' end),
    case when dry_run then 'candidates' else 'forgotten' end, matching);
  return answer;
end
$$;

-- Where a list was cut: page and limit of a request, and the pages that there are.
create function memory_profile_http._pagination(page integer, page_size integer, total bigint) returns jsonb
language sql immutable parallel safe
as $$
  select jsonb_build_object('currentPage', page, 'limit', page_size, 'totalItems', total, 'totalPages', (total + page_size - 1) / page_size)
$$;

-- A memory as lists show it.
create function memory_profile_http._memory_entry(m memory_profile.memory) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
  select jsonb_build_object(
    'id', m.id, 'memory', m.content, 'version', m.version, 'isLatest', m.superseded_at is null,
    'parentMemoryId', m.parent_id, 'rootMemoryId', nullif(m.root_id, m.id),
    'memoryRelations', (select coalesce(jsonb_object_agg(r.to_id, r.relation), '{}') from memory_relation r
                        where r.subject_key = m.subject_key and r.from_id = m.id and r.relation in ('updates', 'extends', 'derives')),
    'sourceCount', greatest(1, (select count(*) from memory_source s where s.subject_key = m.subject_key and s.memory_id = m.id)),
    'isInference', m.is_inference, 'isForgotten', m.forgotten_at is not null, 'isStatic', m.is_static,
    'forgetAfter', _iso(m.forget_after), 'forgetReason', m.forget_reason, 'metadata', _metadata_out(m.metadata),
    'createdAt', _iso(m.created_at), 'updatedAt', _iso(m.updated_at))
$$;

create function memory_profile_http.v4_memories_list(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tags constant text[] := _container_tags(body);
  keys constant uuid[] := (select array_agg(subject_key(t)) from unnest(tags) t);
  page constant integer := _integer_member(body, 'page', 1, 1000000, 1, or_text => true);
  page_size constant integer := _integer_member(body, 'limit', 1, 1100, 10, or_text => true);
  sort constant text := _choice_member(body, 'sort', '{createdAt,updatedAt}', 'createdAt');
  ascending constant boolean := _choice_member(body, 'order', '{asc,desc}', 'desc') = 'asc';
  filters constant jsonb := _filters_member(body);
  total bigint;
  answer response;
begin
  if tags is null then
    perform _invalid('containerTags', 'is required');
  end if;
  select count(*) into total
  from memory m
  where m.subject_key = any (keys) and _is_current(m)
    and (filters is null or (m.subject_key, m.id) in (select * from _memories_matching(keys, filters)));
  select jsonb_build_object('memoryEntries', coalesce(jsonb_agg(listed.entry order by listed.position), '[]'),
                            'pagination', _pagination(page, page_size, total))
  into answer.body
  from (
    select _memory_entry(m) || jsonb_build_object(
             'containerTag', (select s.external_id from subject s where s.subject_key = m.subject_key),
             'documentIds', (select coalesce(jsonb_agg(s.document_id order by s.document_id), '[]') from memory_source s
                             where s.subject_key = m.subject_key and s.memory_id = m.id),
             'history', (select coalesce(jsonb_agg(_memory_entry(h) - '{memoryRelations,sourceCount,isInference,isStatic,metadata}'::text[]
                                                   order by h.version desc), '[]')
                         from memory h
                         where h.subject_key = m.subject_key and m.version > 1 and h.root_id = m.root_id and h.id <> m.id)) as entry,
           row_number() over (order by moment.key, case when ascending then m.id end, m.id desc) as position
    from memory m
    cross join lateral (
      select extract(epoch from case sort when 'createdAt' then m.created_at else m.updated_at end) * case when ascending then 1 else -1 end as key
    ) moment
    where m.subject_key = any (keys) and _is_current(m)
      and (filters is null or (m.subject_key, m.id) in (select * from _memories_matching(keys, filters)))
    order by moment.key, case when ascending then m.id end, m.id desc
    limit page_size offset (page - 1) * page_size
  ) listed;
  return answer;
end
$$;

-- Conversations ------------------------------------------------------------------------------------------------------

-- The text of a message: its content, or the text parts of it.
create function memory_profile_http._message_text(message jsonb, place text) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  content constant jsonb := _member(message, 'content');
begin
  if content is null then
    return '';
  elsif jsonb_typeof(content) = 'string' then
    return content #>> '{}';
  elsif jsonb_typeof(content) = 'array' then
    return (select coalesce(string_agg(part ->> 'text', E'\n' order by ordinality), '')
            from jsonb_array_elements(content) with ordinality p (part, ordinality));
  end if;
  perform _invalid(place || 'content', 'must be a string or an array of parts');
end
$$;

-- Keeps a conversation, which may be sent again as it grows: its messages, and a document of the whole that memories
-- are drawn from.
create function memory_profile_http.v4_conversations(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  conversation constant text := _string_member(body, 'conversationId', required => true, max_length => 100);
  tag constant text := _container_tag(body, 'sm_project_default');
  metadata constant jsonb := _metadata_member(body);
  new_context constant text := _string_member(body, 'entityContext', max_length => 1500);
  messages jsonb;
  item jsonb;
  place text;
  key uuid;
  answer response;
begin
  if conversation !~ '^[a-zA-Z0-9_:-]+$' then
    perform _invalid('conversationId', 'must hold letters a-z, digits, underscores, colons and hyphens only');
  end if;
  for item, place in
    select m.value, format('messages[%s].', m.ordinality - 1)
    from jsonb_array_elements(_array_member(body, 'messages', 1, required => true)) with ordinality m
  loop
    if jsonb_typeof(item) <> 'object' then
      perform _invalid(rtrim(place, '.'), 'must be an object');
    end if;
    messages := coalesce(messages, '[]') || jsonb_build_object(
      'role', _choice_member(item, 'role', '{user,assistant,system,developer,tool,function}', 'user', place),
      'name', _string_member(item, 'name', place => place), 'content', _message_text(item, place),
      'timestamp', _timestamp_member(item, 'timestamp', place), 'utc_offset', _utc_offset_or_null(_member(item, 'timestamp') #>> '{}'));
  end loop;
  if coalesce(_transcript(messages), '') = '' then
    perform _invalid('messages', 'must have a text in one of them');
  end if;
  answer.body := jsonb_build_object(
    'id', document_add(tag, _transcript(messages), custom_id => conversation, metadata => metadata, type => 'conversation'),
    'conversationId', conversation);
  key := subject_key(tag);
  answer.body := answer.body || (select jsonb_build_object('status', d.status) from document d
                                 where d.subject_key = key and d.id = answer.body ->> 'id');
  update subject s set entity_context = new_context where s.subject_key = key and new_context is not null;
  delete from message m
  where m.subject_key = key and m.conversation_id = conversation
    and not exists (select from jsonb_array_elements(messages) with ordinality n
                    where n.ordinality - 1 = m.sequence and n.value ->> 'role' = m.role and n.value ->> 'content' = m.content
                      and n.value ->> 'name' is not distinct from m.name);
  insert into message (subject_key, project_id, conversation_id, sequence, role, name, content, created_at, utc_offset)
  select key, current_project(), conversation, n.ordinality - 1, n.value ->> 'role', n.value ->> 'name', n.value ->> 'content',
         coalesce((n.value ->> 'timestamp')::timestamptz, now()), (n.value ->> 'utc_offset')::integer
  from jsonb_array_elements(messages) with ordinality n
  where not _is_blank(n.value ->> 'content')
    and not exists (select from message m where m.subject_key = key and m.conversation_id = conversation and m.sequence = n.ordinality - 1)
  order by n.ordinality;
  return answer;
end
$$;
