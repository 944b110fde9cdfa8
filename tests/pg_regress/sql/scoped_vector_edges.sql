-- The index access method at its edges: tables of every kind, empty ones, transactions that end badly, definitions that
-- cannot be, damage.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/scoped_vector.sql
\i :include

-- an empty table; rows only from a transaction that was rolled back
create table item (tenant text, e vector(4));
create index item_index on item using scoped_vector (tenant, e scoped_vector_ip_ops);
set enable_seqscan = off;
select * from item where tenant = 'a' order by e <#> '[1,2,3,4]' limit 3;
select rows, namespaces, height, pages, bytes_per_row from scoped_vector_stats('item_index');
vacuum item;
begin;
insert into item select 'a', pg_temp.pseudo_vector(i, 4) from generate_series(1, 1000) i;
rollback;
select count(*) from (select from item where tenant = 'a' order by e <#> '[1,2,3,4]' limit 3) r;
vacuum item;
select rows from scoped_vector_stats('item_index');
begin;
insert into item values ('a', '[1,2,3,4]');
savepoint s;
insert into item values ('a', '[2,2,3,4]');
rollback to s;
insert into item values ('a', '[3,2,3,4]');
commit;
select e from item where tenant = 'a' order by e <#> '[1,2,3,4]' limit 3;

-- the same when the table was cut off, and after a rebuild of it
truncate item;
select count(*) from (select from item where tenant = 'a' order by e <#> '[1,2,3,4]' limit 3) r;
insert into item select 'a', pg_temp.pseudo_vector(i, 4) from generate_series(1, 100) i;
vacuum full item;
reindex index concurrently item_index;
create index concurrently item_index2 on item using scoped_vector (tenant, e scoped_vector_ip_ops) with (fillfactor = 60);
select scoped_vector_check(i, true) from unnest(array['item_index', 'item_index2']::regclass[]) i;
select indexrelid::regclass, indisvalid from pg_index where indrelid = 'item'::regclass order by 1;

-- a build says how many rows there are
analyze item;
create table counted as select 'a' as tenant, pg_temp.pseudo_vector(i, 4) as e from generate_series(1, 777) i;
create index counted_index on counted using scoped_vector (tenant, (e::vector(4)) scoped_vector_l2_ops);
select relname, reltuples from pg_class where relname like 'counted%' order by 1;

-- partial indexes and expressions
create index counted_part on counted using scoped_vector ((subvector(e, 1, 2)::vector(2)) scoped_vector_l2_ops) where tenant = 'a';
explain (costs off) select from counted where tenant = 'a' order by subvector(e, 1, 2)::vector(2) <-> '[1,2]' limit 1;
select scoped_vector_check('counted_part', true);
drop table counted, item;

-- unlogged and temporary tables
create unlogged table quick (tenant integer, e halfvec(4));
create index quick_index on quick using scoped_vector (tenant, e scoped_halfvec_l2_ops);
insert into quick select i % 3, pg_temp.pseudo_vector(i, 4)::halfvec from generate_series(1, 500) i;
select count(*) from (select from quick where tenant = 1 order by e <-> '[1,2,3,4]' limit 300) r;
alter table quick set logged;
select scoped_vector_check('quick_index', true);
create temporary table passing (tenant integer, e vector(4)) on commit delete rows;
create index passing_index on passing using scoped_vector (tenant, e scoped_vector_l2_ops);
begin;
insert into passing select i % 3, pg_temp.pseudo_vector(i, 4) from generate_series(1, 500) i;
select count(*) from (select from passing where tenant = 1 order by e <-> '[1,2,3,4]' limit 300) r;
commit;
select count(*) from (select from passing where tenant = 1 order by e <-> '[1,2,3,4]' limit 300) r;
drop table quick, passing;

-- a column that ceases to declare its dimensions keeps its index, which then takes vectors of any length; the way back builds it anew
create table declared (tenant integer, e vector(4));
insert into declared select i % 3, pg_temp.pseudo_vector(i, 4) from generate_series(1, 300) i;
create index declared_index on declared using scoped_vector (tenant, e scoped_vector_l2_ops);
select pg_relation_filenode('declared_index') as built \gset
alter table declared alter column e type vector;
select pg_relation_filenode('declared_index') = :built as kept;
insert into declared values (1, '[1,2]'), (1, '[1,2,3,4]');
select e from declared where tenant = 1 order by e <-> '[1,2,3,4]' limit 1;
select e from declared where tenant = 1 order by e <-> '[1,2]' limit 2;
select scoped_vector_check('declared_index', true);
delete from declared where vector_dims(e) = 2;
alter table declared alter column e type vector(4);
select e from declared where tenant = 1 order by e <-> '[1,2,3,4]' limit 1;
select e from declared where tenant = 1 order by e <-> '[1,2]' limit 1;
drop table declared;

-- partitions
create table parted (tenant integer, e vector(4)) partition by hash (tenant);
create table parted_0 partition of parted for values with (modulus 2, remainder 0);
create table parted_1 partition of parted for values with (modulus 2, remainder 1);
create index parted_index on parted using scoped_vector (tenant, e scoped_vector_l2_ops);
insert into parted select i % 5, pg_temp.pseudo_vector(i, 4) from generate_series(1, 500) i;
explain (costs off) select from parted where tenant = 1 order by e <-> '[1,2,3,4]' limit 3;
select count(*) from (select from parted where tenant in (1, 2, 3, 4) order by e <-> '[1,2,3,4]' limit 300) r;
select scoped_vector_stats('parted_index');
select scoped_vector_check('parted_index');
select scoped_vector_check(relid) from pg_partition_tree('parted_index') where isleaf;
drop table parted;

-- what cannot be
create table item (id bigint, a text, b text, c text, w vector(9000), e vector(4), n numeric);
create index on item using scoped_vector (e);
create index on item using scoped_vector (a);
create index on item using scoped_vector (e scoped_vector_l2_ops, a);
create index on item using scoped_vector (e scoped_vector_l2_ops, e scoped_vector_l2_ops);
create index on item using scoped_vector (a, b, c, e scoped_vector_l2_ops);
create index on item using scoped_vector (n, e scoped_vector_l2_ops);
create index on item using scoped_vector (w scoped_vector_l2_ops);
create index on item using scoped_vector (a, e scoped_halfvec_l2_ops);
create unique index on item using scoped_vector (e scoped_vector_l2_ops);
create index on item using scoped_vector (e scoped_vector_l2_ops) include (id);
create index on item using scoped_vector (e scoped_vector_l2_ops) with (fillfactor = 5);
create index on item using scoped_vector (e scoped_vector_l2_ops) with (lists = 5);
alter table item add exclude using scoped_vector (a with =);
create index item_a on item (a);
select scoped_vector_stats('item_a');
select scoped_vector_check('item');
select scoped_vector_check('item_a');
create index item_e on item using scoped_vector (a, e scoped_vector_l2_ops);
set role memory_profile_user;
select memory_profile.scoped_vector_check('memory_profile.item_e');
reset role;

-- the classes are sound
select opcname, amvalidate(oid) from pg_opclass where opcmethod = (select oid from pg_am where amname = 'scoped_vector') order by 1;
drop table item;
