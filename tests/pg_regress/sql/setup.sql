-- What the other tests start from.
create extension memory_profile;
-- A plan as all versions write it: from 18 on, they say what was disabled and name the results of subplans.
create function plan_of(query text) returns setof text language plpgsql as $$
declare
  line text;
begin
  for line in execute 'explain (costs off) ' || query loop
    continue when line ~ 'Disabled: true';
    return next regexp_replace(regexp_replace(line, ' \(returns \$\d+\)', ''), '\(InitPlan 1\)\.col1', '$0');
  end loop;
end
$$;
select extname, nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname = 'memory_profile';
