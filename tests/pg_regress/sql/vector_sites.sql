-- A distance keeps its query at the place in the plan from which it is called. That must never show: here every result is
-- compared with that of a call which knows nothing, because both of its arguments come from rows.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

create temporary table item (id integer, dims integer, e vector, h halfvec);
insert into item
select id, dims, array_agg(sin(id * j)::real order by j)::vector, array_agg(sin(id * j)::real order by j)::halfvec
from unnest('{1,7,8,31,64,384,1531,4000}'::int[]) dims, generate_series(1, 40) id, generate_series(1, dims) j group by id, dims;

-- the query as a constant, on either side
create function pg_temp.differences(query_id integer, query_dims integer) returns bigint
language plpgsql
as $$
declare
  operator text;
  list text := '';
  found bigint;
begin
  foreach operator in array '{<->,<#>,<=>,<+>}'::text[] loop
    list := list || format(' + ((i.e %1$s fixed.e is distinct from i.e %1$s r.e) or (fixed.e %1$s i.e is distinct from i.e %1$s r.e)
      or (i.h %1$s fixed.h is distinct from i.h %1$s r.h))::int', operator);
  end loop;
  select replace(replace(list, 'fixed.e', quote_literal(e) || '::vector'), 'fixed.h', quote_literal(h) || '::halfvec')
  into strict list from item where id = query_id and dims = query_dims;
  execute format('select sum(0 %s) from item i join item r on r.id = %s and r.dims = %s where i.dims = r.dims',
    list, query_id, query_dims) into found;
  return found;
end
$$;

select dims, sum(pg_temp.differences(id, dims)) as differences from item where id in (1, 7, 40) group by dims order by dims;

-- the query as a parameter of a generic plan: plain, out of line, and with a short header
set plan_cache_mode = force_generic_plan;
create temporary table query as select e as q, h as hq, dims from item where id = 3;
create function pg_temp.far(query_dims integer) returns bigint
language plpgsql
as $$
declare
  given vector := (select q from query where dims = query_dims);
  small halfvec := (select hq from query where dims = query_dims);
begin
  return (select count(*) from item i, query where i.dims = query_dims and query.dims = query_dims
    and ((i.e <=> given) is distinct from (i.e <=> q) or (i.h <=> small) is distinct from (i.h <=> hq)));
end
$$;
select query_dims, pg_temp.far(query_dims) from unnest('{1,7,31,384,4000}'::int[]) query_dims;

-- an expression of PL/pgSQL is set up once, and its variables change at the same addresses
do $$
declare
  a vector;
  b vector := '[1,2,3]';
  sum double precision := 0;
begin
  for n in 1..1000 loop
    a := format('[%s,0,0]', n);
    sum := sum + (a <-> b);
    if (a <-> b) is distinct from sqrt((n - 1) ^ 2 + 13) then raise 'wrong distance of %: %', a, a <-> b; end if;
  end loop;
  raise notice '%', round(sum::numeric, 3);
end
$$;

-- so may those of a loop over a query whose parameter is assigned to meanwhile
do $$
declare
  q vector := '[1,0]';
  row record;
  wrong integer := 0;
begin
  for row in select n, format('[%s,0]', n)::vector <-> q as d from generate_series(1, 300) n loop
    wrong := wrong + (row.d <> row.n - 1)::int;
    q := '[9,0]';
  end loop;
  raise notice '% wrong', wrong;
end
$$;

-- a prepared statement with one query after the other
prepare nearest(vector) as select id from item where dims = 8 order by e <-> $1, id limit 3;
do $$
declare
  wrong integer := 0;
  first integer;
begin
  for n in 1..40 loop
    execute format('execute nearest(%L)', (select e::text from item where dims = 8 and id = n)) into first;
    wrong := wrong + (first <> n)::int;
  end loop;
  raise notice '% wrong', wrong;
end
$$;

-- a subquery's result is another for each outer row
select count(*) filter (where d <> 0) as wrong
from item o, lateral (select i.e <-> (select q.e from item q where q.id = o.id and q.dims = o.dims) as d from item i
  where i.id = o.id and i.dims = o.dims) s where o.dims < 100;
reset plan_cache_mode;

-- errors are the same in the middle of a scan as at its beginning
select pg_temp.try($$select sum(e <=> '[1,2,3,4,5,6,7]') from (select e from item where dims in (7, 8) order by dims) s$$);
select count(v.e <-> '[1,2]') as not_null from (values ('[1,2]'::vector), (null), ('[3,4]')) v(e);

-- rows of every size, from the shared buffers in order and out of it, and from blocks without neighbours
create table scanned (id integer, filler text, e vector(64));
insert into scanned select n, repeat('x', n * 7919 % 300), array_agg(cos(n * j)::real order by j)::vector
from generate_series(1, 3000) n, generate_series(1, 64) j group by n;
delete from scanned where id % 3 = 0 or id between 1000 and 1500;
select e as q from scanned where id = 5 \gset
select count(*) filter (where s.e <=> :'q' is distinct from s.e <=> r.e) as wrong, count(*) from scanned s, scanned r where r.id = 5;
drop table scanned;
