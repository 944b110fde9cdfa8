-- Casts to and from the types of the extension "vector" (pgvector), for databases that have both extensions.
--
-- Both store a vector in the same bytes, so a cast costs nothing, and ALTER COLUMN … TYPE vector leaves the table's file
-- as it is (TYPE vector(384) has to look at every row). The casts are made for assignment, in both directions, so that no
-- operator or function call becomes ambiguous.
--
-- They are made when the second of the two extensions is created, whichever it is. They belong to neither: were a cast a
-- member of this extension, DROP EXTENSION vector CASCADE would drop this extension with all its data. So a dump holds
-- the casts, and a session that restores one must not make them itself; such a session has row_security turned off.

create function create_pgvector_casts() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  pair record;
  created integer := 0;
begin
  for pair in
    with type_pair as (
      select theirs.oid::regtype as theirs, ours.oid::regtype as ours
      from pg_extension e
      join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
      join pg_type theirs on d.classid = 'pg_type'::regclass and d.objid = theirs.oid
      join pg_type ours on ours.typname = theirs.typname and ours.typnamespace = 'memory_profile'::regnamespace
      where e.extname = 'vector' and theirs.typname in ('vector', 'halfvec')
    ), cast_pair as (
      select theirs as source, ours as target from type_pair
      union all
      select ours, theirs from type_pair
    )
    select format('%s as %s', source, target) as definition
    from cast_pair p
    where not exists (select from pg_cast c where c.castsource = p.source and c.casttarget = p.target)
    order by 1
  loop
    execute format('create cast (%s) without function as assignment', pair.definition);
    execute format('comment on cast (%s) is %L', pair.definition, 'the same bytes in both extensions');
    -- in the script of this extension whatever is created becomes a member
    if exists (
      select from pg_depend d
      join pg_cast c on d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype = 'e'
      where format('%s as %s', c.castsource::regtype, c.casttarget::regtype) = pair.definition)
    then
      execute format('alter extension memory_profile drop cast (%s)', pair.definition);
    end if;
    created := created + 1;
  end loop;
  return created;
end
$$;
comment on function create_pgvector_casts() is
  'make the missing casts to and from pgvector''s types; gives their number. Happens by itself when an extension is created';
revoke all on function create_pgvector_casts() from public;

create function drop_pgvector_casts() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  pair record;
  dropped integer := 0;
begin
  for pair in
    select format('%s as %s', c.castsource::regtype, c.casttarget::regtype) as definition
    from pg_cast c
    join pg_type source on source.oid = c.castsource
    join pg_type target on target.oid = c.casttarget
    where c.castmethod = 'b'
      and source.typname in ('vector', 'halfvec') and target.typname = source.typname
      and 'memory_profile'::regnamespace in (source.typnamespace, target.typnamespace)
    order by 1
  loop
    execute format('drop cast (%s)', pair.definition);
    dropped := dropped + 1;
  end loop;
  return dropped;
end
$$;
comment on function drop_pgvector_casts() is
  'drop the casts to and from pgvector''s types; gives their number. Needed before either extension can be dropped without CASCADE';
revoke all on function drop_pgvector_casts() from public;

create function _pgvector_arrived() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('row_security')::boolean then
    perform memory_profile.create_pgvector_casts();
  end if;
end
$$;
comment on function _pgvector_arrived() is 'makes the casts when pgvector is created, or gains halfvec, after this extension';
revoke all on function _pgvector_arrived() from public;

-- pgvector came first; before the trigger, which the ALTER EXTENSION in the function would fire
select create_pgvector_casts() where current_setting('row_security')::boolean;

create event trigger memory_profile_pgvector on ddl_command_end
  when tag in ('CREATE EXTENSION', 'ALTER EXTENSION')
  execute function _pgvector_arrived();
comment on event trigger memory_profile_pgvector is 'makes the casts to and from pgvector''s types once both extensions are there';
