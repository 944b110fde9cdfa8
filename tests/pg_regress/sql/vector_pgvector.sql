-- pgvector beside this extension: casts whichever comes first, and the same results. Ends here where pgvector is missing.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include
select count(*) = 1 as available from pg_available_extensions where name = 'vector' \gset
\if :available
\else
  \quit
\endif

create function pg_temp.casts() returns table (description text, context "char")
language sql
as $$
  select pg_describe_object('pg_cast'::regclass, c.oid, 0), c.castcontext
  from pg_cast c where c.castmethod = 'b' and c.castsource::regtype::text ~ '(vector|halfvec)$' order by 1
$$;

-- pgvector second
create schema regress_pgvector;
create extension vector schema regress_pgvector;
select * from pg_temp.casts();
select create_pgvector_casts() as again;
select has_function_privilege('public', 'create_pgvector_casts()', 'execute') as anybody_may;

-- the same bytes, both ways; declared dimensions still count
create table regress_items (embedding regress_pgvector.vector(3), small regress_pgvector.halfvec);
insert into regress_items values ('[1,2,3]', '[1,2,3]'), ('[0,0,1]'::vector, '[0,0,1]'::halfvec);
select embedding::vector <=> '[1,1,1]' as ours, embedding operator(regress_pgvector.<=>) '[1,1,1]' as theirs, small::halfvec from regress_items;
select pg_temp.try('insert into regress_items (embedding) values (''[1,2]''::vector)'),
  pg_temp.try('select ''[1,2]''::regress_pgvector.vector::vector(3)');
select pg_relation_filenode('regress_items') as before \gset
alter table regress_items alter embedding type vector, alter small type halfvec;
select pg_relation_filenode('regress_items') = :before as not_rewritten;
select embedding <-> '[1,2,3]', small <-> '[1,2,3]' from regress_items;
drop table regress_items;

-- the same results and the same text for random vectors
select setseed(0.25);
create temporary table pair as
select n, a::real[] as a, b::real[] as b
from generate_series(1, 300) n,
  lateral (select array_agg((random() - 0.5 + 0 * i) * 10 ^ (n % 5)) a, array_agg(random() - 0.5 + 0 * i) b from generate_series(1, 1 + n * 7 % 400) i) v;
create function pg_temp.differences(type_name text) returns table (what text, different bigint)
language plpgsql
as $$
declare
  expression text;
begin
  foreach expression in array array[
    'l2_distance(a, b)', 'inner_product(l2_normalize(a), l2_normalize(b))', 'cosine_distance(a, b)', 'l1_distance(a, b)',
    'l2_norm(a::halfvec)', 'vector_dims(a)', 'l2_normalize(a)', 'binary_quantize(a)', 'subvector(a, 1, 5)',
    'a + b', 'a - b', 'a * b', 'a || b', 'a < b', 'a = b', 'a <= a', 'a', 'a::real[]', 'a::vector', 'a::halfvec']
  loop
    return query execute format(
      'with theirs as materialized (
         select n, pg_temp.evaluate(%1$L, %2$L, ''regress_pgvector'', a, b) as value from pair
       )
       select %1$L, count(*) from pair join theirs using (n)
       where not pg_temp.alike(pg_temp.evaluate(%1$L, %2$L, ''memory_profile'', a, b), value)', expression, type_name);
  end loop;
end
$$;
create function pg_temp.evaluate(expression text, type_name text, schema_name text, a real[], b real[], out result text)
language plpgsql
as $$
begin
  perform set_config('search_path', schema_name || ', public', true);
  execute format('select (%s)::text from (select $1::%s as a, $2::%2$s as b) v', expression, type_name) into result using a, b;
exception when others then
  result := sqlstate || ' ' || sqlerrm;
end
$$;
-- sums of floats depend on the order of additions, so distances may differ in the last digits
create function pg_temp.alike(x text, y text) returns boolean
language sql
as $$
  select case when x = y then true when x || y ~ '[^-.e0-9]' then false
    else abs(x::float8 - y::float8) <= 1e-5 * greatest(1e-1, abs(y::float8)) end
$$;
select * from pg_temp.differences('vector');
select * from pg_temp.differences('halfvec');
set search_path = memory_profile, public;

-- pgvector goes: after its casts
select pg_temp.try('drop extension vector') ~ '^2BP01' as refused;
select drop_pgvector_casts();
drop extension vector;

-- a session that restores a dump leaves the casts to the dump
set row_security = off;
create extension vector schema regress_pgvector;
select * from pg_temp.casts();
reset row_security;

-- pgvector first, in a database of its own
drop extension vector;
drop schema regress_pgvector;
create database regress_pgvector_first;
\connect regress_pgvector_first
create extension vector;
create extension memory_profile;
select pg_describe_object('pg_cast'::regclass, c.oid, 0), c.castcontext,
  exists (select from pg_depend d where d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype = 'e') as member
from pg_cast c where c.castmethod = 'b' and c.castsource::regtype::text ~ '(vector|halfvec)$' order by 1;
select '[1,2]'::vector::memory_profile.vector::vector;
-- without the casts, dropping one extension asks nothing of the other
drop extension vector cascade;
select extname from pg_extension where extname = 'memory_profile';
\connect regress
drop database regress_pgvector_first;
