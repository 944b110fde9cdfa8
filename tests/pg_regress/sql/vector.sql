-- The type vector: text, declared dimensions, functions, operators.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

-- text
select * from pg_temp.read_as('vector',
  '[1,2,3]', '[-1,-2.5,+3]', '[1.,.5,1e3,1E-3]', E' [ 1,\t2 ,\n3 ] ', '[1.23456789]', '[16777217]',
  '[1.5e38,-1.5e-38]', '[1e-46,-1e-46]', '[100000,1000000,0.0001,0.00001]');
select * from pg_temp.read_as('vector',
  '', 'null', '1,2', '{1,2}', '[', '[1', '[1,', '[,]', '[1,]', '[1,,2]', '[1 2]', '[a]', '[1a]', '[0x10]', '[1]2', '[]', '[ ]');
select * from pg_temp.read_as('vector', '[NaN]', '[1,nan]', '[Infinity]', '[-inf]', '[4e38]', '[1,-4e38]');

-- declared dimensions
select * from pg_temp.read_as('vector(3)', '[1,2,3]', '[1,2]');
select pg_temp.try('select ''[1]''::vector(' || d || ')::text') from unnest(array['1', '0', '-1', '16001', '1,2', '''a''']) d;
select format_type('vector'::regtype, 384), '{"[1,2]"}'::vector(2)[], pg_temp.try($$select '{"[1,2]"}'::vector(3)[]$$);

-- as many dimensions as allowed, and one more
select vector_dims(array_fill(0, array[16000])::vector);
select pg_temp.try('select array_fill(0, array[16001])::vector'),
       pg_temp.try('select (''['' || repeat(''0,'', 16000) || ''0]'')::vector');

-- distances
select * from pg_temp.calculate(
  $$l2_distance('[0,0]'::vector, '[3,4]')$$, $$'[0,0]'::vector <-> '[3,4]'$$, $$l2_distance('[3e38]'::vector, '[-3e38]')$$,
  $$inner_product('[1,2]'::vector, '[3,4]')$$, $$'[1,2]'::vector <#> '[3,4]'$$, $$inner_product('[3e38]'::vector, '[3e38]')$$,
  $$cosine_distance('[1,2]'::vector, '[2,4]')$$, $$'[1,0]'::vector <=> '[0,2]'$$, $$'[1,1]'::vector <=> '[-1.1,-1.1]'$$,
  $$'[1,2]'::vector <=> '[0,0]'$$, $$'[3e38]'::vector <=> '[3e38]'$$,
  $$l1_distance('[0,0]'::vector, '[3,-4]')$$, $$'[1,2,3]'::vector <+> '[0,3,2]'$$,
  $$vector_l2_squared_distance('[0,0]', '[3,4]')$$, $$vector_negative_inner_product('[1,2]', '[3,4]')$$,
  $$vector_spherical_distance('[1,0]', '[0,1]')$$, $$vector_spherical_distance('[2,0]', '[2,0]')$$);
select operator, pg_temp.try(format('select %L::vector %s %L', '[1,2]', operator, '[3]'))
from unnest(array['<->', '<#>', '<=>', '<+>', '+', '-', '*']) operator;

-- dimensions, norm, parts
select * from pg_temp.calculate(
  $$vector_dims('[1,2,3]'::vector)$$, $$vector_norm('[3,4]')$$, $$l2_norm('[3,4]'::vector)$$, $$vector_norm('[3e37,4e37]')::real$$,
  $$l2_normalize('[3,4]'::vector)$$, $$l2_normalize('[0,0]'::vector)$$, $$l2_normalize('[3e38]'::vector)$$,
  $$l2_normalize('[1e-45]'::vector)$$,
  $$binary_quantize('[1,0,-1]'::vector)$$, $$binary_quantize('[0,.1,-.2,-.3,.4,.5,.6,-.7,.8,-.9,1]'::vector)$$,
  $$subvector('[1,2,3,4,5]'::vector, 1, 3)$$, $$subvector('[1,2,3,4,5]'::vector, 4, 9)$$, $$subvector('[1,2,3,4,5]'::vector, -1, 3)$$,
  $$subvector('[1,2,3,4,5]'::vector, 3, 2147483647)$$, $$subvector('[1,2,3,4,5]'::vector, 1, 0)$$,
  $$subvector('[1,2,3,4,5]'::vector, 6, 1)$$, $$subvector('[1,2,3,4,5]'::vector, -2147483648, 2147483647)$$,
  $$subvector('[1,2,3,4,5]'::vector, 2147483647, 2147483647)$$);

-- arithmetic
select * from pg_temp.calculate(
  $$'[1,2,3]'::vector + '[4,5,6]'$$, $$'[1,2,3]'::vector - '[4,5,6]'$$, $$'[1,2,3]'::vector * '[4,5,6]'$$,
  $$'[1,2,3]'::vector || '[4,5]'$$, $$'[0,2]'::vector * '[1e-40,1e-40]'$$,
  $$'[3e38]'::vector + '[3e38]'$$, $$'[-3e38]'::vector - '[3e38]'$$, $$'[1e37]'::vector * '[1e37]'$$,
  $$'[1,1e-37]'::vector * '[1,1e-37]'$$, $$vector_dims(array_fill(0, array[8000])::vector || array_fill(1, array[8000])::vector)$$,
  $$array_fill(0, array[16000])::vector || '[1]'$$);

-- comparison: by elements, then by dimensions
select a, b, a < b as lt, a <= b as le, a = b as eq, a <> b as ne, a >= b as ge, a > b as gt, vector_cmp(a, b) as cmp
from (values ('[1,2,3]'::vector, '[1,2,3]'::vector), ('[1,2]', '[1,2,3]'), ('[1,3]', '[1,2,3]'), ('[0]', '[-0]'), ('[-1]', '[1]')) v (a, b);

-- nulls in, null out
select null::vector <=> '[1]', vector_norm(null), null::vector + '[1]', '[1]'::vector < null;

-- what the planner knows: cheap conditions first, every function safe in parallel workers and without side effects
create temporary table item (id integer, embedding vector(3));
explain (costs off) select from item where embedding <=> '[1,2,3]' < 0.5 and id = 7;
select p.oid::regprocedure from pg_proc p join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
where p.prosrc ~ '^(vector|halfvec|array_to)_.*_wrapper$' and (p.provolatile <> 'i' or not p.proisstrict or p.proparallel <> 's');

-- everything has a comment
select pg_describe_object(d.classid, d.objid, 0)
from pg_depend d
join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
where e.extname = 'memory_profile' and pg_describe_object(d.classid, d.objid, 0) ~ '(vector|halfvec)'
  and pg_describe_object(d.classid, d.objid, 0) !~ '^function _'
  and d.classid in ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass, 'pg_opclass'::regclass)
  and obj_description(d.objid, d.classid::regclass::text) is null
  -- the types of arrays, which from 18 on belong to the extension as well, come with their elements'
  and not exists (select from pg_type t where d.classid = 'pg_type'::regclass and t.oid = d.objid and t.typelem <> 0)
order by 1;
