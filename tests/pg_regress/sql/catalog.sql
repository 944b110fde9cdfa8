-- The catalogue: what CREATE EXTENSION does not check by itself.
\set SHOW_CONTEXT never
set search_path = memory_profile, public, memory_profile_http;

-- every function body compiles (an extension script runs with check_function_bodies off)
do $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as name, l.lanvalidator::regproc as validator, p.oid
    from pg_proc p join pg_language l on l.oid = p.prolang
    where pronamespace in ('memory_profile'::regnamespace, 'memory_profile_http'::regnamespace) and l.lanname in ('plpgsql', 'sql')
  loop
    begin
      execute format('select %s(%s)', f.validator, f.oid);
    exception when others then
      raise warning '%: %', f.name, sqlerrm;
    end;
  end loop;
end
$$;

-- every public function, operator, table and type says what it is
select p.oid::regprocedure as without_comment
from pg_proc p
where pronamespace = 'memory_profile'::regnamespace and proname !~ '^_' and obj_description(p.oid, 'pg_proc') is null
order by 1;
select c.oid::regclass as without_comment
from pg_class c
where relnamespace in ('memory_profile'::regnamespace) and relkind = 'r' and obj_description(c.oid, 'pg_class') is null
order by 1;

-- every table is in a dump, and every table of a subject is behind forced row security with the subject's key first
select c.oid::regclass as not_dumped
from pg_class c, pg_extension e
where e.extname = 'memory_profile' and c.relnamespace = 'memory_profile'::regnamespace and c.relkind in ('r', 'S')
  and c.oid <> all (e.extconfig)
order by 1;
select c.relname, c.relrowsecurity, c.relforcerowsecurity,
       (select a.attname from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where i.indrelid = c.oid and i.indisprimary) as first_key_column
from pg_class c
where c.relnamespace = 'memory_profile'::regnamespace and c.relkind = 'r'
order by c.relname;

-- what runs with the owner's rights has its search_path pinned, and is not for everybody but where it must be
select p.oid::regprocedure as definer, p.proconfig is not null as pinned, has_function_privilege('memory_profile_user', p.oid, 'execute') as for_users
from pg_proc p
where p.prosecdef and pronamespace in ('memory_profile'::regnamespace, 'memory_profile_http'::regnamespace)
order by p.oid::regprocedure::text collate "C";

-- the settings of the library
select current_project();
select name, context, vartype from pg_settings where name like 'memory\_profile.%' order by name;

-- ids compare by their bytes wherever they stand: an index under another collation could not serve a join
select c.relname, a.attname as of_another_collation
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'memory_profile'::regnamespace and c.relkind = 'r' and a.atttypid = 'text'::regtype
  and a.attname in ('id', 'memory_id', 'document_id', 'from_id', 'to_id', 'parent_id', 'root_id', 'superseded_by')
  and a.attcollation <> '"C"'::regcollation
order by 1, 2;
