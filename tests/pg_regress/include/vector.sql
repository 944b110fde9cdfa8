-- What the tests of the vector types share.
set search_path = memory_profile, public;
\pset null '∅'

-- What a statement gives, or the error that it raises.
create function pg_temp.try(statement text, out result text)
language plpgsql
as $$
declare
  message text;
  detail text;
  hint text;
begin
  execute statement into result;
exception when others then
  get stacked diagnostics message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
  result := concat_ws(' | ', sqlstate || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
end
$$;

-- What each text becomes as a value of a type.
create function pg_temp.read_as(type_name text, variadic texts text[])
returns table (input text, result text)
language sql
as $$
  select t, pg_temp.try(format('select (%L::%s)::text', t, type_name)) from unnest(texts) with ordinality u(t, n) order by n
$$;

-- What each expression gives.
create function pg_temp.calculate(variadic expressions text[])
returns table (expression text, result text)
language sql
as $$
  select e, pg_temp.try('select (' || e || ')::text') from unnest(expressions) with ordinality u(e, n) order by n
$$;
