-- Everything that the extension keeps, one line for each table and sequence: to compare two databases.

\pset tuples_only on
\pset format unaligned

select format(
  case c.relkind
    when 'S' then 'select %L, last_value, is_called from %s'
    else 'select %L, count(*), md5(string_agg(t::text, E''\n'' order by t::text collate "C")) from %s t'
  end, c.oid::regclass, c.oid::regclass)
from pg_depend d
join pg_class c on c.oid = d.objid and c.relkind in ('r', 'S')
where d.classid = 'pg_class'::regclass
  and d.refclassid = 'pg_extension'::regclass
  and d.refobjid = (select oid from pg_extension where extname = 'memory_profile')
order by c.oid::regclass::text collate "C"
\gexec
