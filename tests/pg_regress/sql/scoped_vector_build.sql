-- Builds: by one process and by several, with memory for everything and for little of it.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/scoped_vector.sql
\i :include

create table item (id bigint, tenant integer, e vector(16));
insert into item select i, (i % 17 < 5)::integer * (1 + i % 90), pg_temp.pseudo_vector(i % 100, 16) + pg_temp.pseudo_vector(i, 16)
from generate_series(1, 12000) i;
insert into item values (12001, 0, null), (12002, null, pg_temp.pseudo_vector(1, 16)), (12003, 0, array_fill(0, array[16])::vector);
delete from item where id % 1000 = 0;

-- What an index of some options has, the same however it was built.
create function pg_temp.build(definition text) returns table (rows bigint, namespaces bigint, lists bigint, leaf_pages bigint, counted real)
language plpgsql set search_path from current as $$
begin
  execute 'create index item_built on item using scoped_vector ' || definition;
  perform scoped_vector_check('item_built', true);
  return query select s.rows, s.namespaces, s.lists, s.leaf_pages, reltuples
    from scoped_vector_stats('item_built') s, pg_class where oid = 'item_built'::regclass;
  drop index item_built;
end
$$;
create function pg_temp.build_all() returns table (definition text, rows bigint, namespaces bigint, lists bigint, leaf_pages bigint, counted real)
language sql as $$
  select * from unnest(array[
    '(tenant, e scoped_vector_cosine_ops)',
    '(tenant, e scoped_vector_cosine_ops) with (lists_from = 4000)',
    '(tenant, (e::halfvec(16)::vector(16)) scoped_vector_cosine_ops) with (lists_from = 4000)',
    '(tenant, e scoped_vector_cosine_ops) where id > 3000']) d (definition), lateral pg_temp.build(definition)
$$;
create index on item (tenant);
analyze item;
set max_parallel_maintenance_workers = 0;
create temporary table by_one as select * from pg_temp.build_all();
select definition, rows, namespaces, lists > 2 as listed, counted from by_one;
set maintenance_work_mem = '1MB';
select * from by_one except select * from pg_temp.build_all();
-- a quarter of it does not hold the rows of this namespace, so they pass a file
create index item_filed on item using scoped_vector (e scoped_vector_l2_ops) with (lists_from = 4000);
select rows, lists > 2 as listed from scoped_vector_stats('item_filed');
select scoped_vector_check('item_filed', true);
drop index item_filed;
set max_parallel_maintenance_workers = 2;
set min_parallel_table_scan_size = 0;
set maintenance_work_mem = '128MB';
select * from by_one except select * from pg_temp.build_all();

-- the rows of the table are counted, too
select reltuples from pg_class where oid = 'item'::regclass;
update pg_class set reltuples = 5 where oid = 'item'::regclass;
create index item_index on item using scoped_vector (tenant, e scoped_vector_cosine_ops) with (lists_from = 4000);
select reltuples from pg_class where oid = 'item'::regclass;
reindex index item_index;
reindex index concurrently item_index;
create index concurrently item_late on item using scoped_vector (e scoped_vector_l2_ops) with (lists_from = 4000);
select rows, namespaces, lists > 2 as listed from scoped_vector_stats('item_index');
select rows, namespaces, lists > 2 as listed from scoped_vector_stats('item_late');
select scoped_vector_check('item_index', true), scoped_vector_check('item_late', true);
drop index item_index, item_late;

-- others take part: here one that may not, whose error ends the build
create function not_by_others(builder integer, e vector) returns vector language plpgsql immutable parallel safe set search_path from current as $$
begin
  if pg_backend_pid() <> current_setting('test.builder')::integer then
    raise 'called by another process';
  end if;
  perform pg_sleep(0.01);
  return e;
end
$$;
select set_config('test.builder', pg_backend_pid()::text, false) = pg_backend_pid()::text as set;
create index item_index on item using scoped_vector (tenant, (not_by_others(tenant, e)::vector(16)) scoped_vector_cosine_ops);
alter function not_by_others parallel unsafe;
create index item_index on item using scoped_vector (tenant, (not_by_others(tenant, e)::vector(16)) scoped_vector_cosine_ops) where id < 20;
select rows from scoped_vector_stats('item_index');
drop index item_index;

-- tables that only this session sees, or that are empty after a crash
create temporary table passing as select * from item;
create index passing_index on passing using scoped_vector (tenant, e scoped_vector_cosine_ops);
select rows from scoped_vector_stats('passing_index');
create unlogged table quick as select * from item;
create index quick_index on quick using scoped_vector (tenant, e scoped_vector_cosine_ops) with (lists_from = 4000);
select rows, lists > 2 as listed from scoped_vector_stats('quick_index');
select scoped_vector_check('passing_index', true), scoped_vector_check('quick_index', true);
drop table item, passing, quick;
drop function not_by_others;
