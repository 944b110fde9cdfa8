-- B-tree indexes, sorting, grouping and joining.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/vector.sql
\i :include

create temporary table item (id integer, embedding vector(3), small halfvec(3));
insert into item
select n, v, v from unnest(array['[0,0,0]', '[1,2,3]', '[1,1,1]', '[-1,2,3]', '[1,2,3]', null]::vector[]) with ordinality u (v, n);
create index on item (embedding);
create index on item (small);
analyze item;

set enable_seqscan = off;
set enable_sort = off;
select plan_of($$select id from item where embedding = '[1,2,3]' order by id$$);
explain (costs off) select embedding from item order by embedding;
select id from item where embedding = '[1,2,3]' order by id;
select embedding, small from item order by embedding;
select small from item where small > '[0,0,0]' order by small desc;
select small from item where small between '[-1,2,3]' and '[0,0,0]' order by small;
reset enable_seqscan;
reset enable_sort;

select embedding, count(*) from item group by embedding order by embedding;
select count(distinct embedding), count(distinct small) from item;
select a.id, b.id from item a join item b using (embedding) where a.id < b.id;

create unique index on item (embedding) where id < 5;
insert into item values (4, '[1,2,3]');

-- nearest first; a vector without direction comes last
select id, embedding, embedding <=> '[1,2,3]' as distance from item where embedding is not null order by embedding <=> '[1,2,3]', id;
