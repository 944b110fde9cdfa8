-- Every object of the extension with its definition, one line each: to compare two installations.

\pset tuples_only on
\pset format unaligned

with member as (
  select d.classid, d.objid, pg_describe_object(d.classid, d.objid, d.objsubid) as name
  from pg_depend d
  where d.refclassid = 'pg_extension'::regclass
    and d.refobjid = (select oid from pg_extension where extname = 'memory_profile')
    and d.deptype = 'e'
)
select name, md5(concat_ws(E'\n',
  case classid
    when 'pg_proc'::regclass then (
      select concat_ws(' ', case when prokind <> 'a' then pg_get_functiondef(p.oid) end, p.proacl) from pg_proc p where p.oid = objid)
    when 'pg_class'::regclass then (
      select concat_ws(' ', c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl, pg_get_viewdef(case when c.relkind = 'v' then c.oid end))
      from pg_class c where c.oid = objid)
  end,
  case when classid = 'pg_class'::regclass then (
    select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                                pg_get_expr(f.adbin, f.adrelid)), ',' order by a.attnum)
    from pg_attribute a left join pg_attrdef f on (f.adrelid, f.adnum) = (a.attrelid, a.attnum)
    where a.attrelid = objid and a.attnum > 0 and not a.attisdropped) end,
  case when classid = 'pg_class'::regclass then (
    select string_agg(pg_get_indexdef(i.indexrelid), ',' order by i.indexrelid::regclass::text) from pg_index i where i.indrelid = objid) end,
  case when classid = 'pg_class'::regclass then (
    select string_agg(pg_get_constraintdef(k.oid), ',' order by k.conname) from pg_constraint k where k.conrelid = objid) end,
  case when classid = 'pg_class'::regclass then (
    select string_agg(concat_ws(' ', p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)), ',' order by p.polname)
    from pg_policy p where p.polrelid = objid) end,
  obj_description(objid, (select relname from pg_class where oid = classid))))
from member
order by name collate "C";

-- What pg_dump is told to save.
select c.oid::regclass, e.condition
from pg_extension x, unnest(x.extconfig, x.extcondition) as e(relation, condition)
join pg_class c on c.oid = e.relation
where x.extname = 'memory_profile'
order by c.oid::regclass::text collate "C";
