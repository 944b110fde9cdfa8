-- For the tests of the access method scoped_vector.
set search_path = memory_profile, public;
set client_min_messages = warning;
-- disabled plans look dear enough to be compiled
set jit = off;
\set SHOW_CONTEXT never

-- A vector that looks random, and is the same everywhere.
create or replace function pg_temp.pseudo_vector(seed bigint, dims integer) returns vector
language sql immutable as $$
  select array_agg((hashint8extended(seed * 1000 + d, 7) % 1000) / 1000.0)::real[]::vector from generate_series(1, dims) d
$$;

-- Whether a query gives by index scan what it gives without: the same rows, in the same order but among equal distances.
create or replace function pg_temp.compare_plans(query text) returns void
language plpgsql set search_path from current as $$
declare
  by_index text;
  by_sort text;
  plan text;
  answer constant text := 'select string_agg(d || '':'' || ids, '','' order by n) from (
    select min(n) as n, d, string_agg(id::text, '' '' order by id) as ids from (
      select row_number() over () as n, * from (%s) q (id, d)) q group by d) q';
begin
  perform set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
    set_config('enable_bitmapscan', 'off', true), set_config('enable_indexscan', 'on', true);
  execute 'explain (costs off, format json) ' || query into plan;
  -- From 18 on the planner sees by itself that nothing can be equal to two values.
  if plan !~ 'Index Scan|One-Time Filter": "false' then
    raise 'no index scan: % %', query, plan;
  end if;
  execute format(answer, query) into by_index;
  perform set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true);
  execute format(answer, query) into by_sort;
  perform set_config('enable_bitmapscan', 'on', true), set_config('enable_indexscan', 'on', true);
  if by_index is distinct from by_sort then
    raise 'the index gives another answer: %', query using detail = by_index, hint = by_sort;
  end if;
end
$$;
