-- The type halfvec: what differs from vector is its range and its rounding.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

-- text
select * from pg_temp.read_as('halfvec',
  '[1,2,3]', '[-1,-2.5,+3]', E' [ 1,\t2 ,\n3 ] ', '[1.23456]', '[0.1,0.3333]', '[2049]', '[65504,65519,-65519]', '[6e-8,1e-8,-1e-8]', '[1e-46]');
select * from pg_temp.read_as('halfvec', '', '1,2', '[', '[1,]', '[a]', '[1]2', '[]', '[NaN]', '[-Infinity]', '[65520]', '[1,-65520]', '[4e38]');

-- declared dimensions
select * from pg_temp.read_as('halfvec(3)', '[1,2,3]', '[1,2]');
select pg_temp.try('select ''[1]''::halfvec(' || d || ')::text') from unnest(array['1', '0', '16001', '1,2']) d;
select vector_dims(array_fill(0, array[16000])::halfvec), pg_temp.try('select array_fill(0, array[16001])::halfvec');

-- distances
select * from pg_temp.calculate(
  $$l2_distance('[0,0]'::halfvec, '[3,4]')$$, $$'[0,0]'::halfvec <-> '[3,4]'$$,
  $$inner_product('[1,2]'::halfvec, '[3,4]')$$, $$'[1,2]'::halfvec <#> '[3,4]'$$, $$inner_product('[65504]'::halfvec, '[65504]')$$,
  $$cosine_distance('[1,2]'::halfvec, '[2,4]')$$, $$'[1,0]'::halfvec <=> '[0,2]'$$, $$'[1,1]'::halfvec <=> '[-1.1,-1.1]'$$,
  $$'[1,2]'::halfvec <=> '[0,0]'$$, $$l1_distance('[0,0]'::halfvec, '[3,-4]')$$, $$'[1,2,3]'::halfvec <+> '[0,3,2]'$$,
  $$halfvec_l2_squared_distance('[0,0]', '[3,4]')$$, $$halfvec_negative_inner_product('[1,2]', '[3,4]')$$,
  $$halfvec_spherical_distance('[1,0]', '[0,1]')$$, $$halfvec_spherical_distance('[2,0]', '[2,0]')$$);
select operator, pg_temp.try(format('select %L::halfvec %s %L', '[1,2]', operator, '[3]'))
from unnest(array['<->', '<#>', '<=>', '<+>', '+', '-', '*']) operator;

-- dimensions, norm, parts
select * from pg_temp.calculate(
  $$vector_dims('[1,2,3]'::halfvec)$$, $$l2_norm('[3,4]'::halfvec)$$, $$l2_norm('[60000,60000]'::halfvec)$$,
  $$l2_normalize('[3,4]'::halfvec)$$, $$l2_normalize('[0,0]'::halfvec)$$, $$l2_normalize('[65504]'::halfvec)$$,
  $$binary_quantize('[1,0,-1,6e-8]'::halfvec)$$,
  $$subvector('[1,2,3,4,5]'::halfvec, 2, 3)$$, $$subvector('[1,2,3,4,5]'::halfvec, -1, 3)$$, $$subvector('[1,2,3,4,5]'::halfvec, 3, -1)$$);

-- arithmetic
select * from pg_temp.calculate(
  $$'[1,2,3]'::halfvec + '[4,5,6]'$$, $$'[1,2,3]'::halfvec - '[4,5,6]'$$, $$'[1,2,3]'::halfvec * '[4,5,6]'$$,
  $$'[1,2,3]'::halfvec || '[4,5]'$$, $$'[2048]'::halfvec + '[1]'$$, $$'[2048]'::halfvec + '[3]'$$,
  $$'[65504]'::halfvec + '[65504]'$$, $$'[-65504]'::halfvec - '[65504]'$$, $$'[256]'::halfvec * '[256]'$$,
  $$'[1e-7]'::halfvec * '[1e-7]'$$, $$array_fill(0, array[16000])::halfvec || '[1]'$$);

-- comparison
select a, b, a < b as lt, a <= b as le, a = b as eq, a <> b as ne, a >= b as ge, a > b as gt, halfvec_cmp(a, b) as cmp
from (values ('[1,2,3]'::halfvec, '[1,2,3]'::halfvec), ('[1,2]', '[1,2,3]'), ('[1,3]', '[1,2,3]'), ('[0]', '[-0]'), ('[-1]', '[1]')) v (a, b);
