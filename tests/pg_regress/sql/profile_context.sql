-- The profile before a model: the summary, the topics, and the block of text within its budget; the past, moment by moment.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
select project_create('profile_context') is not null as created;
select use_project('profile_context');

select profile_patch('ctx', '[{"field_key": "name", "value": "Sarah Chen", "confidence": 1}, {"field_key": "timezone", "value": "Europe/Berlin"}]') is not null as written;
select count(*) from memories_add('ctx', '[
  {"content": "Sarah is a software engineer", "is_static": true, "importance": 0.8},
  {"content": "Sarah likes green tea", "kind": "preference", "is_static": true},
  {"content": "Sarah is allergic to peanuts", "is_static": true},
  {"content": "Sarah is moving the billing service to PostgreSQL"},
  {"content": "Sarah went to a concert of Björk", "kind": "event"}]');

-- without a model, current at every call
select profile_summary('ctx');
select profile_patch('ctx', '[{"field_key": "name", "value": "Sarah Smith", "confidence": 1}]') is not null as written;
select profile_summary('ctx');
select profile_summary('nobody') is null as nothing;

-- the block: fields first, then what answers the question, the lasting, the latest
select profile_context('ctx');
select profile_context('ctx', 'What is Sarah allergic to?');
select profile_context('ctx', '  ') = profile_context('ctx') as no_question;
select profile_context('nobody');
-- within the budget, counted by the tokenizer; what does not fit leaves room for what is shorter
select budget, (_count_tokens(array[profile_context('ctx', 'What is Sarah allergic to?', budget)]))[1] as tokens from unnest(array[1, 20, 40, 60, 80, 200]) budget;
select profile_context('ctx', 'What is Sarah allergic to?', 40);
set memory_profile.embedding_model = '';
select profile_context('ctx', max_tokens => 25);
reset memory_profile.embedding_model;
select profile_context('ctx', max_tokens => 0);

-- what people say of other things is found, and is no part of the profile
select learn('ctx_talk', '[{"role": "user", "name": "Ann", "content": "I have a dog. The shelter needs donations for a new roof."},
  {"role": "user", "name": "Bob", "content": "I live in Oslo. The old bridge was closed by the city council for repairs."}]') is not null as queued;
call run_jobs();
select content, aside from memory where subject_key = subject_key('ctx_talk') order by content;
select section, memory from profile_memories('ctx_talk') order by memory;

-- topics are found by their descriptions
select project_configure('{"profile_buckets": [{"key": "food", "description": "what the user eats and drinks, and is allergic to"}, {"key": "work", "description": "software engineering and other work"}]}')
  -> 'profile_buckets' -> 0 ->> 'key' as first;
select bucket, memory from profile_buckets('ctx') order by 1, 2;
select distinct bucket from profile_buckets('ctx', keys => '{work}');
select project_configure(jsonb_build_object('profile_buckets', b)) from (values ('{}'::jsonb), ('[{"key": "static", "description": "x"}]'), ('[{"key": "a"}]'), ('[{"key": "a", "description": "x"}, {"key": "a", "description": "y"}]')) v (b);
select project_configure(jsonb_build_object('profile_buckets', '[{"key": "Food", "description": "x"}]'::jsonb));
select project_configure('{"profile_buckets": null}') ? 'profile_buckets' as there;

-- The profile as of every moment: what was written, revised, forgotten, restored and denied, each moment between gives
-- what was true then, and what was true then stays so.
create temporary table moment (n integer generated always as identity, at timestamptz default clock_timestamp(), was jsonb);
create procedure pg_temp.mark() language plpgsql as $$
begin
  insert into moment (was) values (profile_get('past', 'full'));
  commit;
  perform pg_sleep(0.001);
end
$$;
call pg_temp.mark();
select profile_patch('past', '[{"field_key": "name", "value": "Ann"}, {"field_key": "email", "value": "ann@example.com"}]') is not null as written;
call pg_temp.mark();
select profile_patch('past', '[{"field_key": "name", "value": "Anna"}]') is not null as revised;
call pg_temp.mark();
select profile_delete('past', 'name');
call pg_temp.mark();
select profile_patch('past', '[{"field_key": "name", "value": "Hanna", "confidence": 0.2}]') is not null as written;
call pg_temp.mark();
select memory_restore('past', (select id from memory where subject_key = subject_key('past') and field_value = '"Ann"')) is not null as restored;
call pg_temp.mark();
select memory_forget('past', profile_get('past', 'full') #>> '{email,memory_id}', 'an old address') is not null as forgotten;
call pg_temp.mark();
select memory_restore('past', (select id from memory where subject_key = subject_key('past') and field_value = '"ann@example.com"')) is not null as restored;
call pg_temp.mark();
select memory_undo('past', (select max(id) from memory_decisions('past') where decision = 'superseded' and memory like '%Ann')) is not null as undone;
call pg_temp.mark();
select n, profile_get('past', 'simple', at) as profile, profile_get('past', 'full', at) = was as true_then from moment order by n;
select max(version) as versions, count(*) filter (where superseded_at is null and forgotten_at is null) as current
from memory where subject_key = subject_key('past') and field_key = 'name';

select project_drop('profile_context');
