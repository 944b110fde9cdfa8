-- What the other tests start from.
create extension memory_profile;
select extname, nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname = 'memory_profile';
