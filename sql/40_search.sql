-- Search is computed by the library over the queries of sql/search/; here stands what belongs to it in SQL.

comment on function memory_search(text, text, double precision, jsonb, integer, text, boolean, boolean, boolean) is
  'The memories (search_mode memories), chunks (documents) or both (hybrid) that answer a query, best first: by words and by meaning, '
  'each enough by itself. subject NULL searches the whole project. threshold 0..1 keeps what is at least that similar; max_results 1..1000; '
  'filters {"AND": [...]} or {"OR": [...]} over metadata; include_forgotten brings forgotten and expired memories back; '
  'score explains each row: evidence, parts and contributions';
alter function memory_search(text, text, double precision, jsonb, integer, text, boolean, boolean, boolean) rows 10;
