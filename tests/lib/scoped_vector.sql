-- A table of vectors by tenant and what writes to it, for the tests of the index under load and after a crash.

create schema load;
set search_path = load, memory_profile;

create function random_vector(dims integer) returns vector language sql volatile set search_path = load, memory_profile as $$
  select array_agg(random() - 0.5)::real[]::vector from generate_series(1, dims)
$$;

create table item (id bigint generated always as identity, tenant integer, e vector(48), payload integer default 0);
-- Without lists, however many rows a fast machine writes: their order is compared with that of a sort.
create index item_nearest on item using scoped_vector (tenant, e scoped_vector_cosine_ops) with (lists_from = 1000000000);
create index item_whole on item using scoped_vector (e scoped_vector_l2_ops) with (lists_from = 1000000000);
-- Its lists come and go with the rows; a search of all rows has to find each of them nevertheless.
create index item_listed on item using scoped_vector (e scoped_vector_ip_ops) with (lists_from = 2000);
create index item_tenant on item (tenant);

-- Writes in transactions of many sizes, one in five of which is rolled back, until so many seconds are over.
create procedure write(seconds double precision, tenants integer) language plpgsql as $$
declare
  until timestamptz := clock_timestamp() + seconds * interval '1 s';
begin
  while clock_timestamp() < until loop
    insert into load.item (tenant, e)
    select case when random() < 0.5 then 0 else (random() ^ 3 * tenants)::integer end,
           case when random() < 0.01 then null when random() < 0.01 then array_fill(0, array[48])::memory_profile.vector else load.random_vector(48) end
    from generate_series(1, (random() ^ 4 * 300)::integer + 1);
    if random() < 0.3 then
      update load.item set e = load.random_vector(48), tenant = tenant + (random() < 0.1)::integer
      where id in (select id from load.item where tenant = (random() ^ 3 * tenants)::integer limit 50 for update skip locked);
    end if;
    if random() < 0.3 then
      delete from load.item
      where id in (select id from load.item where tenant = (random() ^ 3 * tenants)::integer limit (random() * 200)::integer for update skip locked);
    end if;
    if random() < 0.2 then rollback; else commit; end if;
  end loop;
end
$$;

-- What an index gives for some tenants, beside what a sort gives, under one snapshot: raises where they differ. Distances
-- are compared, since equal ones may come in any order.
create function compare(rounds integer) returns void language plpgsql set search_path = load, memory_profile as $$
declare
  q vector;
  wanted integer;
  with_index double precision[];
  with_sort double precision[];
  ask text;
begin
  perform set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true);
  for i in 1..rounds loop
    q := load.random_vector(48);
    wanted := (random() ^ 3 * 30)::integer;
    foreach ask in array array[
      'select e <=> $2 from load.item where tenant = $1 order by e <=> $2 limit 40',
      'select e <=> $2 from load.item where tenant = $1 and id % 7 = 3 order by e <=> $2 limit 10',
      'select e <-> $2 from load.item order by e <-> $2 limit 25',
      'select answer from (select id from load.item where tenant = $1 order by e <=> $2 limit 1000000) r (answer) order by answer',
      'select answer from (select id from load.item order by e <#> $2 limit 1000000) r (answer) order by answer'
    ] loop
      perform set_config('enable_sort', case when ask like '%answer' then 'on' else 'off' end, true),
        set_config('enable_bitmapscan', 'off', true), set_config('enable_indexscan', 'on', true);
      execute format('select array_agg(answer) from (%s) r (answer)', ask) into with_index using wanted, q;
      perform set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true),
        set_config('enable_bitmapscan', 'on', true);
      execute format('select array_agg(answer) from (%s) r (answer)', ask) into with_sort using wanted, q;
      if with_index is distinct from with_sort then
        raise 'tenant %: % gives % instead of %', wanted, ask, with_index, with_sort;
      end if;
    end loop;
  end loop;
end
$$;

-- Everything about the indexes that can be checked.
create procedure verify() language plpgsql set search_path = load, memory_profile as $$
begin
  perform scoped_vector_check(indexrelid, true)
  from pg_index i join pg_class c on c.oid = indexrelid join pg_am a on a.oid = c.relam
  where indrelid = 'load.item'::regclass and amname = 'scoped_vector' and indisvalid;
  perform load.compare(10);
end
$$;

-- One line that says everything about the answers.
create function digest() returns text language plpgsql set search_path = load, memory_profile as $$
declare
  result text;
begin
  perform set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true);
  select md5(string_agg(t || ':' || id, ',')) into result
  from generate_series(0, 30) t,
    lateral (select id from load.item where tenant = t order by e <=> (array_fill(0.1, array[20]) || array_fill(-0.3, array[28]))::vector limit 20) r;
  return result;
end
$$;
