-- Casts between vector, halfvec and arrays.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

select * from pg_temp.calculate(
  $$array[1,2,3]::vector$$, $$array[1.5,2.5]::vector$$, $$'{1,2.5}'::real[]::vector$$, $$'{1,2.5}'::float8[]::vector$$,
  $$'{1,2.5}'::numeric[]::vector(2)$$, $$'{1,2,3}'::int[]::vector(2)$$, $$'[0:1]={7,8}'::real[]::vector$$,
  $$'{16777217}'::int[]::vector$$, $$'{0.1}'::float8[]::vector$$, $$'{1e-46}'::float8[]::vector$$,
  $$'{}'::real[]::vector$$, $$'{{1,2}}'::real[]::vector$$, $$'{1,NULL}'::real[]::vector$$, $$'{NaN}'::real[]::vector$$,
  $$'{NaN}'::numeric[]::vector$$, $$'{Infinity}'::real[]::vector$$, $$'{-Infinity}'::float8[]::vector$$, $$'{4e38}'::float8[]::vector$$,
  $$'{4e38}'::numeric[]::vector$$);
-- an array that has held nulls but has none now
select (array_remove(array[1,null,2]::real[], null) || '{3}')::vector, (array[null,2,3]::real[])[2:3]::vector;

select * from pg_temp.calculate(
  $$array[1,2,3]::halfvec$$, $$array[1.5,2.5]::halfvec$$, $$'{1,2.5}'::real[]::halfvec$$, $$'{1,2.5}'::float8[]::halfvec(3)$$,
  $$'{65519}'::real[]::halfvec$$, $$'{65520}'::real[]::halfvec$$, $$'{-1000000}'::int[]::halfvec$$, $$'{1.5e30}'::float8[]::halfvec$$,
  $$'{4e38}'::float8[]::halfvec$$, $$'{NaN}'::real[]::halfvec$$, $$'{1,NULL}'::int[]::halfvec$$, $$'{}'::numeric[]::halfvec$$);

select * from pg_temp.calculate(
  $$'[1,2.5]'::vector::real[]$$, $$'[1,2.5]'::halfvec::real[]$$, $$'[0.1]'::halfvec::real[]$$,
  $$'[1,2.5,0.1]'::vector::halfvec$$, $$'[1,2.5]'::vector::halfvec(2)$$, $$'[1,2.5]'::vector::halfvec(3)$$, $$'[65520]'::vector::halfvec$$,
  $$'[1e-8]'::vector::halfvec$$, $$'[1,2.5,0.1]'::halfvec::vector$$, $$'[1,2.5]'::halfvec::vector(3)$$,
  $$array_to_vector('{1,2}'::int[], 2, false)$$, $$array_to_vector('{1,2}'::int[], 3, false)$$,
  $$vector('[1,2]', 3, true)$$, $$halfvec('[1,2]'::halfvec, -1, true)$$);

-- which casts happen by themselves, which on assignment
select castsource::regtype as source, casttarget::regtype as target,
  case castcontext when 'i' then 'implicit' when 'a' then 'assignment' else 'explicit' end as context
from pg_cast
where castmethod = 'f' and array[castsource, casttarget] && array['vector', 'halfvec']::regtype[]::oid[]
order by 1, 2;
select l2_distance('[1,2]'::vector, '[1,2]'::halfvec);

create temporary table item (embedding vector(2), small halfvec(2), numbers real[]);
insert into item values (array[1,2], '{3,4}'::real[], '[5,6]'::vector), ('[7,8]'::halfvec, '[9,10]'::vector, '[11,12]'::halfvec);
insert into item (embedding) values ('[1,2,3]'::halfvec);
select * from item;
