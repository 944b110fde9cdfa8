-- Supermemory: documents, the search over their passages, and container tags.

-- A document may have been added to several containers: it has the same id in each, and is each one's own, to draw memories
-- from and to erase. What names it by its id means all of them; the first that it was added to answers for it.

-- A document that a path names by its id or its custom id. Custom ids are unique within one container only.
create function memory_profile_http._named_document(name text) returns memory_profile.document
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  candidates document[];
begin
  select array_agg(d order by d.place) into candidates from document d where d.project_id = current_project() and d.id = name;
  if candidates is null then
    select array_agg(d order by d.place) into candidates from document d where d.project_id = current_project() and d.custom_id = name;
  end if;
  if candidates is null then
    perform _fail(404, 'not_found', 'Document not found',
      format('There is no document with the id or custom id "%s".', name)
      || case when name like 'mem\_%' then ' This is the id of a memory.' else '' end);
  elsif exists (select from unnest(candidates) c
                where c.subject_key <> candidates[1].subject_key
                  and (c.id <> candidates[1].id or c.place is null or candidates[1].place is null)) then
    perform _fail(409, 'conflict', 'The custom id is not unique',
      format('%s containers have a document with the custom id "%s"; use its id.', cardinality(candidates), name));
  end if;
  return candidates[1];
end
$$;

-- A document in each of its containers, in the order in which subjects are locked. Without a SET clause, so that it becomes part of
-- the query that asks for it: lists do for every document.
create function memory_profile_http._document_copies(d memory_profile.document) returns setof memory_profile.document
language sql stable
as $$
  select c.* from memory_profile.document c
  where c.project_id = d.project_id and c.id = d.id and (c.subject_key = d.subject_key or c.place <> d.place)
  order by c.subject_key
$$;

-- The containers that a document was added to, in the order given.
create function memory_profile_http._containers_of(d memory_profile.document) returns text[]
language sql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
  select array_agg(s.external_id order by c.place, s.external_id)
  from _document_copies(d) c
  join subject s on s.subject_key = c.subject_key
$$;

-- Whether this is the copy that a list of these containers shows.
create function memory_profile_http._is_shown(d memory_profile.document, keys uuid[]) returns boolean
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  return coalesce(d.place, 0) = 0 or not exists (
    select from document o where o.project_id = d.project_id and o.id = d.id and o.place < d.place and (keys is null or o.subject_key = any (keys)));
end
$$;

-- A document as every list shows it.
create function memory_profile_http._document_entry(d memory_profile.document) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
  select jsonb_build_object(
    'id', d.id, 'customId', d.custom_id, 'connectionId', null,
    'containerTags', _containers_of(d),
    'createdAt', _iso(d.created_at), 'updatedAt', _iso(d.updated_at), 'metadata', d.metadata, 'status', d.status,
    'summary', d.summary, 'title', d.title,
    -- A type of our own is text to this API, whose clients know a closed list.
    'type', case when d.type in ('pdf', 'tweet', 'google_doc', 'google_slide', 'google_sheet', 'image', 'video', 'audio', 'notion_doc',
                                 'webpage', 'onedrive', 'github_markdown', 'granola') then d.type else 'text' end,
    'url', d.url, 'filepath', d.filepath)
    || case when d.error is null then '{}' else jsonb_build_object('errorMessage', d.error) end
$$;

-- What a caller may set on a document.
create type memory_profile_http.document_data as (
  tag text,
  content text,
  custom_id text,
  metadata jsonb,
  filepath text,
  task_type text,
  document_date timestamptz,
  utc_offset integer,
  entity_context text
);

create function memory_profile_http._document_data(body jsonb, place text default '') returns memory_profile_http.document_data
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  data document_data;
begin
  data.content := _string_member(body, 'content', place => place);
  if _is_blank(data.content) then
    perform _invalid(place || 'content', 'must not be empty');
  end if;
  data.custom_id := _string_member(body, 'customId', max_length => 100, place => place);
  if data.custom_id !~ '^[a-zA-Z0-9_:-]+$' then
    perform _invalid(place || 'customId', 'must hold letters a-z, digits, underscores, colons and hyphens only, and at least one');
  end if;
  data.metadata := _metadata_member(body, place);
  data.filepath := _string_member(body, 'filepath', place => place);
  data.task_type := _choice_member(body, 'taskType', '{memory,superrag}', place => place);
  data.document_date := _timestamp_member(body, 'documentDate', place);
  data.utc_offset := _utc_offset_or_null(_member(body, 'documentDate') #>> '{}');
  data.entity_context := _string_member(body, 'entityContext', max_length => 1500, place => place);
  perform _choice_member(body, 'dreaming', '{instant,dynamic}', place => place);
  if coalesce(_object_member(body, 'filterByMetadata', place), '{}') <> '{}' then
    perform _invalid(place || 'filterByMetadata', 'is not supported: memories are drawn from a document by itself');
  end if;
  return data;
end
$$;

create function memory_profile_http._document_write(body jsonb, place text default '', type text default null) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  -- None named is the one by default, as is an empty list.
  tags constant text[] := coalesce(
    _container_tags(case body -> 'containerTags' when '[]' then body - 'containerTags' else body end, place),
    array[_checked_tag(place || 'containerTag', 'sm_project_default')]);
  data constant document_data := _document_data(body, place);
  new_id text;
begin
  if data.content is null then
    perform _invalid(place || 'content', 'is required', 'content_required');
  end if;
  perform _subject_for_write(t.tag) from unnest(tags) t (tag) order by subject_key(t.tag);
  new_id := coalesce((select d.id from document d where d.subject_key = subject_key(tags[1]) and d.custom_id = data.custom_id), _new_id('doc'));
  perform _document_put(
    new_id, case when cardinality(tags) > 1 then t.ordinality::integer - 1 end, t.tag, coalesce(_chat_continued(d.content, data.content), data.content),
    data.custom_id, data.metadata, null, _document_write.type, null, data.filepath, coalesce(data.task_type, 'memory'), data.document_date, data.utc_offset)
  from unnest(tags) with ordinality t (tag, ordinality)
  left join document d on d.subject_key = subject_key(t.tag) and d.custom_id = data.custom_id;
  if data.entity_context is not null then
    update subject s set entity_context = data.entity_context where s.subject_key in (select subject_key(t) from unnest(tags) t);
  end if;
  return jsonb_build_object('id', new_id, 'status', (select d.status from document d where d.subject_key = subject_key(tags[1]) and d.id = new_id));
end
$$;

create function memory_profile_http.v3_documents_add(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  answer response;
begin
  answer.body := _document_write(_json_body(call));
  return answer;
end
$$;

-- Adds each document by itself: what is wrong with one does not keep the others out.
create function memory_profile_http.v3_documents_batch(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  -- What the request says of all documents; a document's own members come first.
  common constant jsonb := jsonb_strip_nulls(body - 'documents' - 'content');
  item jsonb;
  place text;
  results jsonb := '[]';
  failures integer := 0;
  message text;
  detail text;
  answer response;
begin
  for item, place in
    select d.value, format('documents[%s].', d.ordinality - 1)
    from jsonb_array_elements(_array_member(body, 'documents', 1, 600, required => true)) with ordinality d
  loop
    begin
      item := case jsonb_typeof(item) when 'string' then jsonb_build_object('content', item) when 'object' then jsonb_strip_nulls(item) end;
      if item is null then
        perform _invalid(rtrim(place, '.'), 'must be an object or a string');
      end if;
      results := results || _document_write(
        case when item ?| '{containerTag,containerTags}' then common - '{containerTag,containerTags}'::text[] else common end || item, place);
    exception when others then
      get stacked diagnostics message = message_text, detail = pg_exception_detail;
      if _status_of(sqlstate) is null then
        raise;
      end if;
      failures := failures + 1;
      results := results || jsonb_strip_nulls(jsonb_build_object('id', '', 'status', 'error', 'error', message, 'details', nullif(detail, '')));
    end;
  end loop;
  answer.body := jsonb_build_object('results', results, 'success', jsonb_array_length(results) - failures, 'failed', failures);
  return answer;
end
$$;

create function memory_profile_http.v3_documents_list(call memory_profile_http.request_data) returns memory_profile_http.response
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
  wanted_path constant text := _string_member(body, 'filepath');
  with_content constant boolean := _boolean_member(body, 'includeContent');
  answer response;
begin
  with wanted as (
    select d.subject_key, d.id, extract(epoch from case sort when 'createdAt' then d.created_at else d.updated_at end)
                                * case when ascending then 1 else -1 end as key
    from document d
    where d.project_id = current_project() and (keys is null or d.subject_key = any (keys)) and _is_shown(d, keys)
      and (filters is null or _filter_matches(filters, d.metadata))
      and (wanted_path is null or _matches_filepath(d.filepath, wanted_path))
  ), listed as (
    select w.*, row_number() over (order by w.key, case when ascending then w.id end, w.id desc) as position
    from wanted w order by position limit page_size offset (page - 1) * page_size
  )
  select jsonb_build_object(
    'memories', (select coalesce(jsonb_agg(_document_entry(d)
                   || case when with_content then jsonb_build_object('content', d.content) else '{}' end order by l.position), '[]')
                 from listed l join document d on d.subject_key = l.subject_key and d.id = l.id),
    'pagination', _pagination(page, page_size, (select count(*) from wanted)))
  into answer.body;
  return answer;
end
$$;

create function memory_profile_http.v3_documents_get(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  d constant document := _named_document(call.arguments[1]);
  memories jsonb;
  answer response;
begin
  select jsonb_agg(_memory_entry(m) - '{memoryRelations,forgetAfter,forgetReason}'::text[] order by m.created_at, m.id) into memories
  from memory_source s
  join memory m on m.subject_key = s.subject_key and m.id = s.memory_id
  where s.subject_key = d.subject_key and s.document_id = d.id and m.forgotten_at is null;
  answer.body := _document_entry(d) || jsonb_build_object(
    'content', d.content, 'raw', null, 'source', d.source, 'ogImage', null, 'taskType', d.task_type,
    'dreamingStatus', case when d.status in ('done', 'failed') then 'done' else 'dreaming' end,
    -- Every time that its content was sent is a job.
    'latestRevision', greatest(1, (select count(*) from job j where j.subject_key = d.subject_key and j.document_id = d.id)))
    || case when memories is null then '{}' else jsonb_build_object('memories', memories) end;
  return answer;
end
$$;

create function memory_profile_http.v3_documents_update(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tags constant text[] := _container_tags(body);
  data document_data := _document_data(body);
  d constant document := _named_document(call.arguments[1]);
  copy document;
  sent_type text;
  new_content text;
  new_type text;
  answer response;
begin
  if not (tags @> _containers_of(d) and tags <@ _containers_of(d)) then
    perform _invalid(case when body ? 'containerTags' then 'containerTags' else 'containerTag' end,
                     'must stay what it is: a document cannot move to another container');
  end if;
  if data.content is not null then
    sent_type := case when _page_text(_check_text(data.content)) is null then 'text' else 'markdown' end;
    data.content := _check_text(coalesce(_page_text(data.content), data.content));
  end if;
  perform from subject s where s.subject_key in (select c.subject_key from _document_copies(d) c) order by s.subject_key for update;
  for copy in select * from _document_copies(d) loop
    if exists (select from document o where o.subject_key = copy.subject_key and o.custom_id = data.custom_id and o.id <> d.id) then
      perform _fail(409, 'conflict', 'The custom id is taken', format('Another document of this container has the custom id "%s".', data.custom_id));
    end if;
    new_content := coalesce(data.content, copy.content);
    new_type := coalesce(_type_given(copy, new_content), sent_type);
    update document o
    set title = _title_given(copy, new_content, new_type), type = new_type,
        content = new_content, custom_id = coalesce(data.custom_id, o.custom_id),
        metadata = o.metadata || coalesce(data.metadata, '{}'), filepath = coalesce(data.filepath, o.filepath),
        task_type = coalesce(data.task_type, o.task_type), document_date = coalesce(data.document_date, o.document_date),
        utc_offset = case when data.document_date is null then o.utc_offset else data.utc_offset end, updated_at = now()
    where o.subject_key = copy.subject_key and o.id = d.id
    returning * into copy;
    -- Only what memories are drawn from needs to be read again.
    if data.content is not null or data.task_type is not null or data.document_date is not null then
      perform _document_enqueue(copy);
    end if;
    update subject s set updated_at = now(), entity_context = coalesce(data.entity_context, s.entity_context) where s.subject_key = copy.subject_key;
  end loop;
  answer.body := (select jsonb_build_object('id', o.id, 'status', o.status) from document o where o.subject_key = d.subject_key and o.id = d.id);
  return answer;
end
$$;

create function memory_profile_http._document_remove(d memory_profile.document) returns boolean
language sql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
  select document_delete((select s.external_id from subject s where s.subject_key = d.subject_key), d.id)
$$;

create function memory_profile_http.v3_documents_delete(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  answer response;
begin
  perform _document_remove(c) from _document_copies(_named_document(call.arguments[1])) c;
  answer.status := 204;
  return answer;
end
$$;

create function memory_profile_http.v3_documents_bulk(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  ids constant text[] := nullif(_strings_member(body, 'ids', highest => 100), '{}');
  tags constant text[] := _container_tags(body);
  wanted_path constant text := _string_member(body, 'filepath');
  named text;
  deleted bigint := 0;
  errors jsonb := '[]';
  answer response;
begin
  if (ids is null) = (tags is null and wanted_path is null) then
    perform _fail(400, 'invalid_request', 'Either ''ids'' or ''containerTags'' must be provided', 'filepath may narrow containerTags, or stand alone.');
  end if;
  if ids is not null then
    foreach named in array ids loop
      begin
        perform _document_remove(c) from _document_copies(_named_document(named)) c;
        deleted := deleted + 1;
      exception when sqlstate 'MP404' or sqlstate 'MP409' then
        errors := errors || jsonb_build_object('id', named, 'error', sqlerrm);
      end;
    end loop;
  else
    select count(_document_remove(d)) into deleted
    from document d
    where d.project_id = current_project()
      and (tags is null or d.subject_key in (select subject_key(t) from unnest(tags) t))
      and (wanted_path is null or _matches_filepath(d.filepath, wanted_path));
  end if;
  answer.body := jsonb_build_object('success', errors = '[]', 'deletedCount', deleted)
    || case when errors = '[]' then '{}' else jsonb_build_object('errors', errors) end
    || case when tags is null then '{}' else jsonb_build_object('containerTags', tags) end;
  return answer;
end
$$;

create function memory_profile_http.v3_documents_processing(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  query constant jsonb := call.query;
  -- Container tags come in one parameter, separated by commas.
  tags constant text[] := _container_tags(jsonb_build_object('containerTags', string_to_array(nullif(query ->> 'containerTags', ''), ',')));
  keys constant uuid[] := (select array_agg(subject_key(t)) from unnest(tags) t);
  view constant text := _choice_member(query, 'view', '{active,pending,all}', 'active');
  page constant integer := _integer_member(query, 'page', 1, 1000000, 1, or_text => true);
  page_size constant integer := _integer_member(query, 'limit', 1, 1100, 100, or_text => true);
  total bigint;
  answer response;
begin
  select count(*), jsonb_build_object('documents', coalesce(jsonb_agg(w.entry order by w.place)
    filter (where view <> 'all' or w.place between (page - 1) * page_size + 1 and page * page_size), '[]'))
  into total, answer.body
  from (
    select row_number() over (order by d.created_at desc, d.id desc) as place,
           _document_entry(d) || jsonb_build_object('stuck', d.status not in ('done', 'failed') and d.updated_at < now() - interval '4 hours') as entry
    from document d
    where d.project_id = current_project() and (keys is null or d.subject_key = any (keys)) and _is_shown(d, keys)
      and (view = 'all' or d.status not in ('done', 'failed'))
      and (view <> 'active' or d.updated_at >= now() - interval '4 hours')
  ) w;
  answer.body := answer.body || jsonb_build_object('totalCount', total)
    || case when view = 'all' then jsonb_build_object('pagination', _pagination(page, page_size, total)) else '{}' end;
  return answer;
end
$$;

create function memory_profile_http.v3_documents_chunks(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  d constant document := _named_document(call.arguments[1]);
  answer response;
begin
  select jsonb_build_object('documentId', d.id, 'total', count(*), 'chunks', coalesce(jsonb_agg(jsonb_build_object(
           'id', d.id || '_' || c.position, 'position', c.position, 'content', c.content, 'type', 'text', 'metadata', d.metadata,
           'createdAt', _iso(c.created_at)) order by c.position), '[]'))
  into answer.body
  from chunk c
  where c.subject_key = d.subject_key and c.document_id = d.id;
  return answer;
end
$$;

-- Search over passages, answered by document. A passage comes with its neighbours unless only matches are wanted.
create function memory_profile_http.v3_search(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  began constant timestamptz := clock_timestamp();
  body constant jsonb := _json_body(call);
  q constant text := _string_member(body, 'q', required => true);
  tags constant text[] := _container_tags(body);
  threshold constant double precision := _number_member(body, 'chunkThreshold', 0, 1, 0);
  filters constant jsonb := _filters_member(body);
  max_documents constant integer := _integer_member(body, 'limit', 1, 100, 10);
  wanted_document constant text := _string_member(body, 'docId');
  wanted_path constant text := _string_member(body, 'filepath');
  with_content constant boolean := _boolean_member(body, 'includeFullDocs');
  with_summary constant boolean := _boolean_member(body, 'includeSummary');
  only_matching constant boolean := _boolean_member(body, 'onlyMatchingChunks');
  rerank constant boolean := _boolean_member(body, 'rerank');
  rewrite_query constant boolean := _boolean_member(body, 'rewriteQuery');
  q_embedding constant real[] := _embedding_member(body);
  results jsonb;
  answer response;
begin
  perform _number_member(body, 'documentThreshold', 0, 1);
  if coalesce(_array_member(body, 'categoriesFilter'), '[]') <> '[]' then
    perform _invalid('categoriesFilter', 'is not supported: use filters');
  end if;
  with found as (
    select subject_key(r.subject) as subject_key, r.document_id, substr(r.id, length(r.document_id) + 2)::integer as position, r.similarity
    from unnest(coalesce(tags, array[null::text])) scope (subject)
    cross join lateral memory_search(scope.subject, q, threshold, filters, 1000, 'documents', false, rerank, rewrite_query, q_embedding) r
  ), matching as (
    select f.subject_key, f.document_id, max(f.similarity) as score, array_agg(f.position) as positions
    from found f
    join document d on d.subject_key = f.subject_key and d.id = f.document_id
    where (wanted_document is null or wanted_document in (d.id, d.custom_id))
      and (wanted_path is null or _matches_filepath(d.filepath, wanted_path))
    group by f.subject_key, f.document_id
  ), hit as (
    -- A document of several containers is found once.
    select once.*
    from (select distinct on (m.document_id) m.* from matching m order by m.document_id, m.score desc, m.subject_key) once
    order by once.score desc, once.document_id
    limit max_documents
  )
  select coalesce(jsonb_agg(jsonb_build_object(
           'documentId', d.id, 'title', d.title, 'type', d.type, 'score', round(h.score::numeric, 4), 'metadata', d.metadata,
           'createdAt', _iso(d.created_at), 'updatedAt', _iso(d.updated_at), 'chunks', passage.items)
         || case when with_content then jsonb_build_object('content', d.content) else '{}' end
         || case when with_summary then jsonb_build_object('summary', d.summary) else '{}' end
         order by h.score desc, h.document_id), '[]')
  into results
  from hit h
  join document d on d.subject_key = h.subject_key and d.id = h.document_id
  cross join lateral (
    select jsonb_agg(jsonb_build_object('content', c.content, 'position', c.position, 'isRelevant', f.position is not null,
                                        'score', coalesce(round(f.similarity::numeric, 4), 0)) order by c.position) as items
    from chunk c
    left join found f on f.subject_key = c.subject_key and f.document_id = c.document_id and f.position = c.position
    where c.subject_key = h.subject_key and c.document_id = h.document_id
      and (f.position is not null
           or not only_matching and (c.position - 1 = any (h.positions) or c.position + 1 = any (h.positions)))
  ) passage;
  answer.body := jsonb_build_object('results', results, 'total', jsonb_array_length(results),
    'timing', round((extract(epoch from clock_timestamp() - began) * 1000)::numeric, 1));
  return answer;
end
$$;

-- Container tags -----------------------------------------------------------------------------------------------------

create function memory_profile_http._container_entry(s memory_profile.subject) returns jsonb
language sql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
  select jsonb_build_object('id', s.subject_key, 'containerTag', s.external_id, 'name', coalesce(s.name, s.external_id),
    'entityContext', s.entity_context, 'profileBuckets', '[]'::jsonb, 'createdAt', _iso(s.created_at), 'updatedAt', _iso(s.updated_at))
$$;

create function memory_profile_http._named_container(tag text) returns memory_profile.subject
language plpgsql stable
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(_checked_tag('containerTag', tag));
  container subject;
begin
  select * into container from subject s where s.subject_key = key;
  if container.subject_key is null then
    perform _fail(404, 'not_found', 'Container tag not found', format('Nothing has been stored for the container "%s".', tag));
  end if;
  return container;
end
$$;

-- The answer is a bare array, without room for the number of pages: whoever gets a full page asks for the next.
create function memory_profile_http.v3_container_tags_list(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  page constant integer := _integer_member(call.query, 'page', 1, 1000000, 1, or_text => true);
  page_size constant integer := _integer_member(call.query, 'limit', 1, 10000, 1000, or_text => true);
  answer response;
begin
  select coalesce(jsonb_agg(_container_entry(listed) order by listed.external_id), '[]') into answer.body
  from (
    select s.* from subject s where s.project_id = current_project()
    order by s.external_id limit page_size offset (page - 1) * page_size
  ) listed;
  return answer;
end
$$;

create function memory_profile_http.v3_container_tags_get(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  answer response;
begin
  answer.body := _container_entry(_named_container(call.arguments[1]));
  return answer;
end
$$;

create function memory_profile_http.v3_container_tags_update(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  body constant jsonb := _json_body(call);
  tag constant text := _checked_tag('containerTag', call.arguments[1]);
  new_name constant text := _string_member(body, 'name', max_length => 100);
  new_context constant text := _string_member(body, 'entityContext', max_length => 1500);
  key uuid;
  container subject;
  answer response;
begin
  if coalesce(_array_member(body, 'profileBuckets'), '[]') <> '[]' then
    perform _invalid('profileBuckets', 'is not supported');
  end if;
  if new_name = '' then
    perform _invalid('name', 'must not be empty');
  end if;
  key := _subject_for_write(tag);
  -- Null clears the context; left out, it stays.
  update subject s
  set name = coalesce(new_name, s.name), entity_context = case when body ? 'entityContext' then new_context else s.entity_context end,
      updated_at = now()
  where s.subject_key = key
  returning * into container;
  answer.body := _container_entry(container);
  return answer;
end
$$;

create function memory_profile_http.v3_container_tags_delete(call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
declare
  container constant subject := _named_container(call.arguments[1]);
  counts constant jsonb := profile_erase(container.external_id);
  answer response;
begin
  answer.body := jsonb_build_object('success', true, 'containerTag', container.external_id,
    'deletedDocumentsCount', counts -> 'documents', 'deletedMemoriesCount', counts -> 'memories');
  return answer;
end
$$;
