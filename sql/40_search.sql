-- Search is computed by the library over the queries of sql/search/; here stands what belongs to it in SQL.

comment on function memory_search(text, text, double precision, jsonb, integer, text, boolean, boolean, boolean, real[]) is
  'The memories (search_mode memories), chunks (documents) or both (hybrid) that answer a query, best first: by words and by meaning, '
  'each enough by itself. subject NULL searches the whole project. threshold 0..1 keeps what is at least that similar; max_results 1..1000; '
  'filters {"AND": [...]} or {"OR": [...]} over metadata; include_forgotten brings forgotten and expired memories back; '
  'rerank compares four times as many texts token by token; rewrite_query reads words that nobody used as the known ones at one slip; '
  'embedding is the vector of the query, where the caller has it; '
  'score explains each row: evidence, parts and contributions';
alter function memory_search(text, text, double precision, jsonb, integer, text, boolean, boolean, boolean, real[]) rows 10;

comment on function memory_search_explain(text, text, text, double precision, jsonb, integer, text, boolean, boolean, boolean, real[]) is
  'How memory_search comes to its answers: how many texts it read, the milliseconds of each step and, if id names a text, '
  'whether that is returned, at which place, or why not, with every part of its score';

-- What a search reads lies in one place of one index for each subject: one plan serves all, and any other is for tables
-- without statistics.
alter function memory_search(text, text, double precision, jsonb, integer, text, boolean, boolean, boolean, real[])
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan;
alter function memory_search_explain(text, text, text, double precision, jsonb, integer, text, boolean, boolean, boolean, real[])
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan;

create function search_refresh() returns bigint
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project constant uuid := _project();
  model constant smallint := _embedding_model_id();
  key uuid;
  signed bigint := 0;
begin
  for key in select s.subject_key from subject s where s.project_id = project order by s.subject_key for update loop
    signed := signed + _memories_sign(key, model) + (select count(*) from chunk c where c.subject_key = key);
    perform _document_sign(d, model) from document d where d.subject_key = key;
  end loop;
  return signed;
end
$$;
comment on function search_refresh() is
  'Writes what searches read of each text anew, and returns of how many: after a change of text_search_config, or to pack what many changes have scattered';
