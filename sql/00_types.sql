-- Before anything else: the schema becomes the property of whom its functions belong to.
--
-- Some functions run with the rights of their owner, a superuser, and look names up in this schema. In whose hands the schema is
-- can add functions to it, and one that fits the arguments better than PostgreSQL's own would be called with those rights.
-- The owner of a database may install the extension without being a superuser: the schema that CREATE EXTENSION has made for him,
-- or that he made before, would stay his. So it must be empty, and passes to whoever executes this; the grants of the former
-- owner go. Until it is known to be empty, every name is in full and no operator finds a better one.
do $$
declare
  granted record;
begin
  if exists (select from pg_catalog.pg_depend d
             where d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid
               and d.refobjid = 'memory_profile'::pg_catalog.regnamespace::pg_catalog.oid
               and d.deptype = 'n' and d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid) then
    raise object_not_in_prerequisite_state using
      message = 'schema "memory_profile" is not empty',
      hint = 'The extension needs it for itself: drop or rename the schema.';
  end if;
  alter schema memory_profile owner to current_user;
  for granted in
    select distinct a.grantee::regrole as role, a.grantee = 0 as everybody
    from pg_namespace n cross join aclexplode(n.nspacl) a
    where n.nspname = 'memory_profile' and a.grantee <> n.nspowner
  loop
    if granted.everybody then
      revoke all on schema memory_profile from public cascade;
    else
      execute format('revoke all on schema memory_profile from %s cascade', granted.role);
    end if;
  end loop;
end
$$;

-- Shell types, so that functions can be declared before 10_vector.sql and 11_halfvec.sql complete the types.

create type vector;
create type halfvec;
