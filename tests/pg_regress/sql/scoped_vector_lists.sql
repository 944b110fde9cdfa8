-- Large namespaces have lists: searches begin with the nearest, and go on to all of them.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/scoped_vector.sql
\i :include

create table item (id bigint, tenant integer, e vector(16), f integer);
insert into item select i, (i > 12000)::integer, pg_temp.pseudo_vector(i % 100, 16) + pg_temp.pseudo_vector(i, 16), i % 1000
from generate_series(1, 13000) i;
insert into item values (13001, 0, null, 0), (13002, 0, array_fill(0, array[16])::vector, 0);
create index item_index on item using scoped_vector (tenant, e scoped_vector_cosine_ops) with (lists_from = 4000);
analyze item;
select rows, namespaces, lists from scoped_vector_stats('item_index');
select scoped_vector_check('item_index', true);
set enable_seqscan = off;
set enable_sort = off;

-- the ten nearest, of a few questions
create temporary table question as select i, pg_temp.pseudo_vector(i % 100, 16) + pg_temp.pseudo_vector(-i, 16) as q from generate_series(1, 40) i;
create function pg_temp.recall(wanted integer, filter text) returns numeric language plpgsql set search_path from current as $$
declare
  found integer;
begin
  execute format('select count(*) from question, lateral (
    select id from item where tenant = %1$s and %2$s order by e <=> q limit 10) a
    join lateral (select id from (select id, row_number() over (order by d) as n from (
      select id, e <=> q as d from item where tenant = %1$s and %2$s offset 0) s) s where n <= 10) b using (id)', wanted, filter) into found;
  return found / 400.0;
end
$$;
select plan_of('select id from item where tenant = 0 order by e <=> (select q from question limit 1) limit 10');
select pg_temp.recall(0, 'true') > 0.97 as nearest, pg_temp.recall(0, 'f between 1 and 60') > 0.97 as filtered,
  pg_temp.recall(0, 'f = 7') > 0.97 as rare, pg_temp.recall(1, 'true') as exact;
set memory_profile.scoped_vector_probes = 1;
select pg_temp.recall(0, 'true') < 1 as worse, pg_temp.recall(1, 'true') as exact;
set memory_profile.scoped_vector_probes = 12;
select pg_temp.recall(0, 'true') as all_lists;
reset memory_profile.scoped_vector_probes;

-- no row is left out, whatever is discarded
select count(*), count(distinct id) from (select id from item where tenant = 0 order by e <=> (select q from question limit 1) limit 100000) r;
select count(*) from (select id from item where tenant = 0 and f = 7 order by e <=> (select q from question limit 1) limit 100000) r;
select count(*) from (select id from item where tenant = 0 and f = 5000 order by e <=> (select q from question limit 1) limit 10) r;
select count(*), count(distinct id) from (select id from item where tenant in (0, 1) order by e <=> (select q from question limit 1) limit 100000) r;
select count(*), count(distinct id) from (select id from item order by e <=> (select q from question limit 1) limit 100000) r;
select id from (select id from item where tenant = 0 order by e <=> (select q from question limit 1) limit 100000) r offset 12000;

-- rows that come later belong to lists, too, and dead ones leave them
insert into item select i, 0, pg_temp.pseudo_vector(i % 100, 16) + pg_temp.pseudo_vector(i, 16), i % 1000 from generate_series(20001, 22000) i;
delete from item where id % 3 = 0;
vacuum item;
select scoped_vector_check('item_index', true);
select rows, lists from scoped_vector_stats('item_index');
select pg_temp.recall(0, 'true') > 0.97 as nearest;
select count(*), count(distinct id) from (select id from item where tenant = 0 order by e <=> (select q from question limit 1) limit 100000) r;
delete from item where tenant = 0;
vacuum item;
select count(*) from (select id from item where tenant = 0 order by e <=> (select q from question limit 1) limit 10) r;
insert into item values (1, 0, pg_temp.pseudo_vector(1, 16), 0);
select id from item where tenant = 0 order by e <=> (select q from question limit 1) limit 10;
select scoped_vector_check('item_index', true);
reindex index item_index;
select rows, lists from scoped_vector_stats('item_index');

-- other metrics
create table whole (id bigint, e vector(8));
insert into whole select i, pg_temp.pseudo_vector(i, 8) from generate_series(1, 5000) i;
create index whole_ip on whole using scoped_vector (e scoped_vector_ip_ops) with (lists_from = 2000);
create index whole_l2 on whole using scoped_vector (e scoped_vector_l2_ops) with (lists_from = 2000);
analyze whole;
select scoped_vector_check(i, true) from unnest(array['whole_ip', 'whole_l2']::regclass[]) i;
select lists from unnest(array['whole_ip', 'whole_l2']::regclass[]) i, scoped_vector_stats(i);
select count(*) from (select from whole order by e <#> '[1,2,3,4,5,6,7,8]' limit 10000) r;
select count(*) from (select from whole order by e <-> '[1,2,3,4,5,6,7,8]' limit 10000) r;
select id from whole order by e <-> (select e from whole where id = 77) limit 1;

-- lists come and go with the rows, without a build
create table grown (id bigint, tenant integer, e vector(16));
create index grown_index on grown using scoped_vector (tenant, e scoped_vector_cosine_ops) with (lists_from = 2000);
create function pg_temp.grow(first integer, last integer) returns void language sql as $$
  insert into grown select i, i % 10 / 9, pg_temp.pseudo_vector(i % 100, 16) + pg_temp.pseudo_vector(i, 16) from generate_series(first, last) i;
$$;
create function pg_temp.whole_and_nearest() returns table (found bigint, different bigint, nearest bigint) language sql as $$
  select (select count(*) from (select from grown where tenant = 0 order by e <=> (select q from question limit 1) limit 100000) r),
    (select count(distinct id) from (select id from grown where tenant = 0 order by e <=> (select q from question limit 1) limit 100000) r),
    (select id from grown where tenant = 0 order by e <=> (select e from grown where id = 18) limit 1);
$$;
select pg_temp.grow(1, 1500);
-- what needs no column is not left to the index alone
set enable_seqscan = off;
select plan_of('select count(*) from grown');
select count(*) from grown;
reset enable_seqscan;
vacuum analyze grown;
select rows, lists from scoped_vector_stats('grown_index');
select pg_temp.grow(1501, 4000);
vacuum grown;
select rows, lists from scoped_vector_stats('grown_index');
select * from pg_temp.whole_and_nearest();
select pg_temp.grow(4001, 20000);
vacuum grown;
select rows, lists between 10 and 36 as divided from scoped_vector_stats('grown_index');
select scoped_vector_check('grown_index', true);
select * from pg_temp.whole_and_nearest();
delete from grown where id % 18 <> 0 and id > 100;
vacuum grown;
select rows, lists <= 4 as put_together from scoped_vector_stats('grown_index');
select scoped_vector_check('grown_index', true);
select * from pg_temp.whole_and_nearest();
delete from grown;
vacuum grown;
select rows, lists from scoped_vector_stats('grown_index');
select scoped_vector_check('grown_index', true);
drop table item, whole, grown;
