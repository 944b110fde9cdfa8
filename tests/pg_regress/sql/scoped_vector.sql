-- The index access method: exact answers, whatever the shape of the table and of the query.
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/scoped_vector.sql
\i :include

-- every key type, no key and two keys; every class
create table item (id bigint primary key, tenant text, owner bigint, kind smallint, part uuid, e vector(8), h halfvec(8), f integer);
insert into item
select i, 'tenant ' || i % 20, i % 7, i % 3, md5((i % 5)::text)::uuid, pg_temp.pseudo_vector(i, 8), pg_temp.pseudo_vector(i, 8)::halfvec(8), i % 10
from generate_series(1, 1200) i;
insert into item values
  (3001, 'tenant 1', 1, 1, null, null, null, 1),
  (3002, 'tenant 1', 1, 1, null, '[0,0,0,0,0,0,0,0]', '[0,0,0,0,0,0,0,0]', 1),
  (3003, null, null, null, null, '[1,2,3,4,5,6,7,8]', '[1,2,3,4,5,6,7,8]', 1),
  (3004, 'lonely', 1, 1, null, '[1,2,3,4,5,6,7,8]', '[1,2,3,4,5,6,7,8]', 1),
  (3005, 'tenant 1', 1, 1, null, '[1e-30,0,0,0,0,0,0,0]', '[6e-8,0,0,0,0,0,0,0]', 1),
  (3006, 'tenant 1', 1, 1, null, '[1e30,-1e30,0,0,0,0,0,0]', '[65504,65504,0,0,0,0,0,0]', 1);
analyze item;

do $$
declare
  key text;
  class text;
begin
  for key, class in
    select k, c
    from unnest(array['', 'tenant, ', 'owner, ', 'kind, ', 'part, ', 'tenant, kind, ', 'owner, part, ']) k,
         unnest(array['e scoped_vector_cosine_ops', 'e scoped_vector_ip_ops', 'e scoped_vector_l2_ops', 'h scoped_halfvec_cosine_ops',
                      'h scoped_halfvec_ip_ops', 'h scoped_halfvec_l2_ops']) c
    where k in ('', 'tenant, ') or c = 'e scoped_vector_cosine_ops'
  loop
    execute format('create index item_index on item using scoped_vector (%s%s)', key, class);
    perform scoped_vector_check('item_index', true);
    perform pg_temp.compare_plans(format('select id, %1$s %2$s %3$L::%4$s from item where %5$s order by %1$s %2$s %3$L::%4$s',
      left(class, 1),
      case when class like '%cosine%' then '<=>' when class like '%ip%' then '<#>' else '<->' end,
      query, case left(class, 1) when 'e' then 'vector' else 'halfvec' end, filter))
    from unnest(array['[1,2,3,4,5,6,7,8]', '[0,0,0,0,0,0,0,0]', '[-1,0,2,0,1e-3,0,0,5]']) query,
         unnest(case key
           when '' then array['true', 'f = 3']
           when 'tenant, ' then array['true', $f$tenant = 'tenant 1'$f$, $f$tenant = 'lonely'$f$, $f$tenant = 'nobody'$f$,
             $f$tenant = any ('{tenant 1,tenant 2,tenant 1,nobody,null}')$f$, $f$tenant = any ('{}')$f$,
             $f$tenant = 'tenant 2' and f = 2$f$, $f$tenant = 'tenant 2' and f = 99$f$, $f$tenant = 'tenant 2' and tenant = 'tenant 3'$f$,
             'tenant is null']
           when 'owner, ' then array['owner = 3', 'owner = 3::smallint', 'owner = 3::integer', 'owner = 3::bigint', 'owner in (1, 2)',
             'owner = any (array[1, 2]::smallint[])', 'owner > 5']
           when 'kind, ' then array['kind = 2', 'kind = 2::smallint', 'kind = 2::bigint', 'kind = 40000']
           when 'part, ' then array['part = md5(1::text)::uuid', 'part is null']
           when 'tenant, kind, ' then array['true', $f$tenant = 'tenant 1'$f$, $f$tenant = 'tenant 1' and kind = 1$f$, 'kind = 1',
             $f$tenant = 'tenant 1' and kind in (1, 2)$f$, $f$tenant in ('tenant 1', 'tenant 4') and kind = 1$f$]
           else array['owner = 1 and part = md5(1::text)::uuid', 'owner = 1']
         end) filter;
    drop index item_index;
  end loop;
end
$$;

-- plans
create index item_tenant on item using scoped_vector (tenant, e scoped_vector_cosine_ops);
create index item_btree on item (tenant);
explain (costs off) select id from item where tenant = 'tenant 1' order by e <=> '[1,2,3,4,5,6,7,8]' limit 3;
select id from item where tenant = 'tenant 1' order by e <=> '[1,2,3,4,5,6,7,8]' limit 3;
explain (costs off) select id from item where tenant = 'tenant 1' and f = 1 order by e <=> '[1,2,3,4,5,6,7,8]' limit 3;
select id from item where tenant = 'tenant 1' and f = 1 order by e <=> '[1,2,3,4,5,6,7,8]' limit 3;
explain (costs off) select id from item where tenant in ('tenant 1', 'tenant 2') order by e <=> '[1,2,3,4,5,6,7,8]' limit 3;
explain (costs off) select id from item order by e <=> '[1,2,3,4,5,6,7,8]' limit 3;
-- not what the index is for, and right all the same
explain (costs off) select id from item where tenant = 'tenant 1' order by e <-> '[1,2,3,4,5,6,7,8]' limit 3;
explain (costs off) select count(*) from item;
explain (costs off) select id from item where tenant = 'tenant 1' order by e <=> '[1,2,3,4,5,6,7,8]' desc limit 3;
drop index item_btree;
set enable_seqscan = off;
explain (costs off) select count(*) from item where tenant = 'tenant 1';
select count(*), sum(id) from item where tenant = 'tenant 1';
select count(*) from item where tenant = 'nobody';
select plan_of('select count(e) from item');
select count(*) from item;
reset enable_seqscan;

-- rows whose distance is NaN or null come last, and none is missing
select id from (select id from item where tenant = 'tenant 1' order by e <=> '[1,2,3,4,5,6,7,8]') o offset 62;
select count(*) from (select 1 from item where tenant = 'tenant 1' order by e <=> null limit 1000) o;

-- a vector of another length is refused, as by the operator
select id from item where tenant = 'tenant 1' order by e <=> '[1,2]' limit 1;

-- prepared statements keep the index in their generic plan
prepare nearest (text, vector) as select id from item where tenant = $1 order by e <=> $2 limit 2;
do $$ begin for i in 1..8 loop execute $q$execute nearest ('tenant 5', '[1,2,3,4,5,6,7,8]')$q$; end loop; end $$;
set plan_cache_mode = force_generic_plan;
explain (costs off) execute nearest ('tenant 5', '[1,2,3,4,5,6,7,8]');
execute nearest ('tenant 5', '[1,2,3,4,5,6,7,8]');
execute nearest ('tenant 6', '[1,2,3,4,5,6,7,8]');
execute nearest (null, '[1,2,3,4,5,6,7,8]');
reset plan_cache_mode;
deallocate nearest;

-- rescans: each outer row searches its own namespace
explain (costs off)
select t.tenant, n.id from (values ('tenant 1'), ('tenant 2'), ('nobody'), (null)) t (tenant)
cross join lateral (select id from item i where i.tenant = t.tenant order by e <=> '[1,2,3,4,5,6,7,8]' limit 2) n;
select t.tenant, n.id from (values ('tenant 1'), ('tenant 2'), ('nobody'), (null)) t (tenant)
cross join lateral (select id from item i where i.tenant = t.tenant order by e <=> '[1,2,3,4,5,6,7,8]' limit 2) n;
select count(*), count(distinct n.id) from generate_series(0, 19) t
cross join lateral (select id from item i where i.tenant = 'tenant ' || t order by e <=> pg_temp.pseudo_vector(t, 8) limit 1000) n;

-- cursors
begin;
declare c cursor for select id from item where tenant = 'tenant 7' order by e <=> '[1,2,3,4,5,6,7,8]';
fetch 2 from c;
savepoint s;
delete from item where tenant = 'tenant 7';
insert into item (id, tenant, e) select i, 'tenant 7', '[1,2,3,4,5,6,7,8]' from generate_series(4001, 4100) i;
fetch 2 from c;
select id > 4000 as new from item where tenant = 'tenant 7' order by e <=> '[1,2,3,4,5,6,7,8]' limit 1;
rollback to s;
fetch 2 from c;
move forward all in c;
fetch 1 from c;
rollback;
select count(*) from (select 1 from item where tenant = 'tenant 7' order by e <=> '[1,2,3,4,5,6,7,8]') o;
select scoped_vector_check('item_tenant', true);

-- updates, with and without a change of what is indexed
update item set f = f + 1 where tenant = 'tenant 8';
update item set e = '[1,2,3,4,5,6,7,8]' where tenant = 'tenant 8' and id % 2 = 0;
update item set tenant = 'tenant 9' where tenant = 'tenant 8' and id % 40 = 28;
select pg_temp.compare_plans($q$select id, e <=> '[1,2,3,4,5,6,7,9]' from item where tenant in ('tenant 8', 'tenant 9') order by e <=> '[1,2,3,4,5,6,7,9]'$q$);
drop table item;

-- vectors of several lengths side by side
create table mixed (model text, e vector);
create index mixed_index on mixed using scoped_vector (model, e scoped_vector_l2_ops);
insert into mixed select 'm' || d, pg_temp.pseudo_vector(i, d) from generate_series(1, 200) i, unnest(array[1, 3, 700]) d;
select model, count(*) from (select model from mixed where model = 'm3' order by e <-> '[1,2,3]' limit 1000) m group by model;
set enable_seqscan = off;
select count(*) from (select 1 from mixed order by e <-> '[1]' limit 1000) m;
select count(*) from mixed where model = 'm700';
reset enable_seqscan;
select scoped_vector_check('mixed_index', true);
select rows, namespaces, largest_namespace, height from scoped_vector_stats('mixed_index');
drop table mixed;

-- many namespaces of one row each, beside a large one
create table tiny (k integer, e vector(64));
create index tiny_index on tiny using scoped_vector (k, e scoped_vector_cosine_ops);
insert into tiny select i, pg_temp.pseudo_vector(i, 64) from generate_series(1, 20000) i;
insert into tiny select 0, pg_temp.pseudo_vector(i, 64) from generate_series(1, 5000) i;
select rows, namespaces, largest_namespace, height, free_pages, bytes_per_row < 160 as shares_pages from scoped_vector_stats('tiny_index');
select scoped_vector_check('tiny_index', true);
select bool_and(found) from generate_series(1, 20000, 100) i,
  lateral (select count(*) = 1 as found from (select from tiny where k = i order by e <=> pg_temp.pseudo_vector(1, 64) limit 10) t) f;
delete from tiny where k % 3 > 0;
vacuum tiny;
select rows, namespaces, free_pages > 0 as freed from scoped_vector_stats('tiny_index');
select scoped_vector_check('tiny_index', true);
reindex index tiny_index;
select rows, namespaces, free_pages, bytes_per_row < 110 as packed from scoped_vector_stats('tiny_index');
delete from tiny;
vacuum tiny;
select rows, leaf_pages, inner_pages, height from scoped_vector_stats('tiny_index');
select count(*) from (select from tiny where k = 0 order by e <=> pg_temp.pseudo_vector(1, 64) limit 10) t;
insert into tiny select i % 5, pg_temp.pseudo_vector(i, 64) from generate_series(1, 1000) i;
select count(*) from (select from tiny where k = 0 order by e <=> pg_temp.pseudo_vector(1, 64)) t;
select scoped_vector_check('tiny_index', true);
drop table tiny;
