-- sum and avg, whose states are written in place: every kind of aggregation must still see its own numbers.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

create temporary table item (id integer, part integer, embedding vector, small halfvec);
insert into item select n, n % 3, array[n, -n, 1], array[n, -n, 1] from generate_series(1, 12) n;
insert into item values (13, 0, null, null);

select sum(embedding), avg(embedding), sum(small), avg(small) from item;
select part, sum(embedding), avg(embedding), sum(small), avg(small) from item group by rollup (part) order by part;
select sum(embedding), avg(embedding), sum(small), avg(small) from item where false;

-- windows: each row keeps its own result while the state goes on
select id, sum(embedding) over (order by id), avg(small) over (order by id rows between 1 preceding and current row)
from item where id <= 4 order by id desc;

-- one state, two uses; distinct; filter; nested in a function that adds
select sum(embedding) + sum(embedding), sum(embedding), sum(distinct embedding) filter (where id < 3), avg(embedding) - avg(embedding) from item;
select sum(total) from (select sum(embedding) as total from item group by part) t;

-- the arguments themselves stay as they were
do $$
declare
  a vector := '[1,2]';
  b vector := '[10,20]';
  state double precision[] := '{1,1,2}';
begin
  raise notice '% % %', a + b, a, b;
  raise notice '% % %', vector_accum(state, b), vector_combine(state, state), state;
end
$$;
select embedding from item order by id limit 2;

-- rows that lie packed, compressed and out of line
create temporary table stored (id integer, embedding vector);
alter table stored alter embedding set storage extended;
insert into stored select n, array_fill(n, array[dims])::vector from generate_series(1, 5) n, unnest('{3,2000}'::int[]) dims;
select vector_dims(embedding), subvector(sum(embedding), 1, 2), subvector(avg(embedding), 1, 2) from stored group by 1 order by 1;

-- parallel workers give the same
create table regress_vectors as select n as id, array[n, n % 7, 1]::vector(3) as embedding from generate_series(1, 5000) n;
alter table regress_vectors set (parallel_workers = 2);
analyze regress_vectors;
select sum(embedding), avg(embedding), sum(embedding::halfvec * '[0.0009765625,1,0.5]'), avg(embedding::halfvec) from regress_vectors;
begin;
set local parallel_setup_cost = 0;
set local parallel_tuple_cost = 0;
set local min_parallel_table_scan_size = 0;
explain (costs off) select sum(embedding), avg(embedding) from regress_vectors;
select sum(embedding), avg(embedding), avg(embedding::halfvec) from regress_vectors;
select count(*) filter (where embedding <=> '[1,1,1]' < 0.5) > 0 from regress_vectors;
commit;
drop table regress_vectors;

-- what cannot be added
select * from pg_temp.calculate(
  $$(select sum(v) from unnest(array['[1,2]'::vector, '[3]']) v)$$, $$(select avg(v) from unnest(array['[1,2]'::vector, '[3]']) v)$$,
  $$(select sum(v) from unnest(array['[3e38]'::vector, '[3e38]']) v)$$, $$(select avg(v) from unnest(array['[3e38]'::vector, '[3e38]']) v)$$,
  $$(select sum(v) from unnest(array['[65504]'::halfvec, '[65504]']) v)$$, $$(select avg(v) from unnest(array['[65504]'::halfvec, '[65504]']) v)$$);

-- the functions behind avg, called with what avg never passes
select * from pg_temp.calculate(
  $$vector_avg('{2,2,4,6}')$$, $$vector_avg('{0}')$$, $$vector_avg('{1}')$$, $$vector_avg('{{2,2}}')$$, $$vector_avg('{NULL,2}')$$,
  $$vector_avg('{}')$$, $$vector_avg('{1,Infinity}')$$, $$halfvec_avg('{1,65520}')$$, $$halfvec_avg('{1,NaN}')$$,
  $$vector_avg((select array_agg(n) from generate_series(1, 16002) n))$$,
  $$vector_accum('{0}', '[1,2,3]')$$, $$vector_accum('{1,1,1,1}', '[1,2,3]')$$, $$vector_accum('{0,0}', '[1,2,3]')$$,
  $$vector_accum('{{0}}', '[1]')$$, $$vector_accum('{}', '[1]')$$, $$halfvec_accum('{NULL}', '[1]')$$,
  $$vector_combine('{1,2}', '{3,4}')$$, $$vector_combine('{0}', '{3,4}')$$, $$vector_combine('{3,4}', '{0}')$$, $$vector_combine('{0}', '{0}')$$,
  $$vector_combine('{1,2}', '{3,4,5}')$$, $$vector_combine('{}', '{0}')$$, $$vector_combine('{1,2}', '{{3,4}}')$$,
  $$vector_combine('{1,1.7e308}', '{1,1.7e308}')$$, $$halfvec_combine('{1,2}', '{3,4}')$$,
  $$vector_combine('{0}', (select array_agg(n) from generate_series(1, 16002) n))$$);
