-- Filters: what the search compiles to SQL and what the reference evaluator says are the same, for every kind of
-- condition against every kind of metadata.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

create temporary table metadata_value (n serial, value jsonb);
insert into metadata_value (value) values
  ('"a"'), ('"A"'), ('""'), ('"5"'), ('5'), ('5.0'), ('-1'), ('1e3'), ('0.30'), ('true'), ('false'), ('"true"'),
  ('["a", "b"]'), ('[]'), ('["5"]'), ('"a%b"'), ('"a_b"'), ('"Größe"'), ('"GRÖSSE"'), ('" 7 "'), ('"NaN"'), ('"infinity"'),
  ('123456789012345678901234567890'), ('"it''s \\ \"quoted\""');
select count(*) from memories_add('filtered', (
  select jsonb_agg(jsonb_build_object('content', 'probe ' || n, 'metadata', jsonb_build_object('k', value, 'n', n))) from metadata_value))
union all
select count(*) from memories_add('filtered', '[{"content": "probe without the key"}]');

create temporary table condition as
select jsonb_build_object('key', 'k', 'value', v) || extra as condition
from (values ('"a"'::jsonb), ('"A"'), ('""'), ('"5"'), ('5'), ('"5.00"'), ('"1000"'), ('"true"'), ('true'), ('"%"'), ('"_"'), ('"größe"'),
             ('"7"'), ('"NaN"'), ('"0.3"'), ('"123456789012345678901234567890"'), ('"it''s \\ \"quoted\""')) v (v)
cross join (values ('{}'::jsonb), ('{"negate": true}'), ('{"ignoreCase": true}'), ('{"filterType": "metadata", "negate": "true"}'),
  ('{"filterType": "array_contains"}'), ('{"filterType": "array_contains", "negate": true}'),
  ('{"filterType": "string_contains"}'), ('{"filterType": "string_contains", "ignoreCase": true}'), ('{"filterType": "string_contains", "negate": true}'),
  ('{"filterType": "numeric"}'), ('{"filterType": "numeric", "negate": true}'),
  ('{"filterType": "numeric", "numericOperator": ">"}'), ('{"filterType": "numeric", "numericOperator": "<=", "negate": true}'),
  ('{"filterType": "numeric", "numericOperator": ">="}'), ('{"filterType": "numeric", "numericOperator": "<"}')) e (extra);
-- what is not a number cannot be compared as one, and is refused
delete from condition where condition ->> 'filterType' = 'numeric' and condition ->> 'value' !~ '^-?[0-9.]+$';

create temporary table filter as
select jsonb_build_object('AND', jsonb_build_array(condition)) as filter from condition
union all select jsonb_build_object('OR', jsonb_build_array(condition, '{"key": "n", "value": "3"}'::jsonb)) from condition
union all select jsonb_build_object('AND', jsonb_build_array('{"key": "n", "filterType": "numeric", "numericOperator": "<", "value": "15"}'::jsonb,
                                                             jsonb_build_object('OR', jsonb_build_array(condition)))) from condition;
select count(*) > 500 as many_filters from filter;

select filter, searched, expected
from filter
cross join lateral (select array(select memory from memory_search('filtered', 'probe', 0, filter, 1000) order by memory) as searched) s
cross join lateral (select array(select content from memory m where m.subject_key = subject_key('filtered') and _filter_matches(filter, m.metadata) order by content) as expected) e
where searched <> expected;

-- passages so many that a filter is tried on the best alone
select document_add('passages', string_agg(format(E'# Part %s\n\nThe moth number %s of %s.', n, n, d), E'\n\n' order by n), d, jsonb_build_object('k', d),
                    task_type => 'superrag') is not null as added
from (values ('one'), ('two')) v (d), generate_series(1, 900) n group by d;
call run_jobs();
select count(*) from chunk where subject_key = subject_key('passages');
select count(*), bool_and(metadata ->> 'k' = 'two' and chunk ~ 'of two') as of_two
from memory_search('passages', 'moth', 0, '{"AND": [{"key": "k", "value": "two"}]}', 100, 'documents');
select count(*) from memory_search('passages', 'moth', 0, '{"AND": [{"key": "k", "value": "three"}]}', 100, 'documents');
select chunk from memory_search('passages', 'moth 711', 0, '{"AND": [{"key": "k", "value": "two"}]}', 1, 'hybrid');
select profile_erase('passages') ->> 'erased' as erased;

-- refused, with the place that is at fault
\set VERBOSITY default
select memory_search('filtered', 'probe', filters => '{"AND": [{"key": "k"}]}');
select memory_search('filtered', 'probe', filters => '{"AND": [{"key": "k", "value": {"a": 1}}]}');
select memory_search('filtered', 'probe', filters => '{"AND": [{"key": "k", "value": "a", "filterType": "regex"}]}');
select memory_search('filtered', 'probe', filters => '{"AND": [{"OR": [{"key": "k''; --", "value": "a"}]}]}');
select memory_search('filtered', 'probe', filters => '"not json"');
select memory_search('filtered', 'probe', filters => (select jsonb_build_object('AND', jsonb_agg('{"key": "k", "value": "a"}'::jsonb)) from generate_series(1, 201)));
select count(*) from memory_search('filtered', 'probe', filters => (select jsonb_build_object('OR', jsonb_agg('{"key": "k", "value": "a"}'::jsonb)) from generate_series(1, 200)));

select profile_erase('filtered') ->> 'erased' as erased;
