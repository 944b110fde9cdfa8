-- Memories: adding, versions, forgetting, relations, bad input.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

create temporary table made (name text primary key, id text);
insert into made values ('coffee', memory_add('mem_ann', 'Ann drinks her coffee black', metadata => '{"source": "chat", "sequence": 3, "speaker": "Ann"}'));
insert into made values ('berlin', memory_add('mem_ann', 'Ann lives in Berlin', true));
select m.content, kind, is_static, importance, confidence, version, source_type, metadata, speaker, sequence
from memory m where subject_key = subject_key('mem_ann') order by created_at, id;

-- the same text again reinforces
select memory_add('mem_ann', '  Ann lives in Berlin ', importance => 0.9) = id as same from made where name = 'berlin';
select seen_count, importance from memory join made using (id) where name = 'berlin';

-- an update is a new version that replaces the old one
insert into made select 'munich', memory_update('mem_ann', id, 'Ann lives in Munich', '{"metadata": {"via": "phone"}}') from made where name = 'berlin';
select memory, version, is_static, metadata from memory_list('mem_ann') order by memory;
select memory, version, relation, superseded_at is not null as superseded, superseded_by = (select id from made where name = 'munich') as by_munich
from memory_history('mem_ann', (select id from made where name = 'berlin'));
-- an old version's id leads to the newest
insert into made select 'hamburg', memory_update('mem_ann', id, 'Ann lives in Hamburg') from made where name = 'berlin';
select memory, version, metadata from memory_list('mem_ann') where version > 1;

-- what an update leaves out is inherited, null clears forget_after
insert into made values ('trip', memory_add('mem_ann', 'Ann travels to Rome', forget_after => '2999-01-01', forget_reason => 'the trip is over'));
insert into made select 'trip2', memory_update('mem_ann', id, 'Ann travels to Rome and Naples') from made where name = 'trip';
select forget_after is not null as kept, forget_reason from memory join made using (id) where name = 'trip2';
insert into made select 'trip3', memory_update('mem_ann', id, 'Ann travels to Naples', '{"forget_after": null}') from made where name = 'trip2';
select forget_after, forget_reason from memory join made using (id) where name = 'trip3';

-- what has expired is not current any more, and the same text may be remembered anew
select memory_add('mem_ann', 'Ann is at lunch', forget_after => now() - interval '1 hour') is not null as added;
select count(*) from memory_list('mem_ann') where memory = 'Ann is at lunch';
select memory_add('mem_ann', 'Ann is at lunch') is not null as added;
select count(*) from memory_list('mem_ann') where memory = 'Ann is at lunch';

-- forgetting
select memory_forget('mem_ann', (select id from made where name = 'coffee'), 'changed her mind') = (select id from made where name = 'coffee') as forgotten;
select count(*) from memory_list('mem_ann') where memory like '%coffee%';
select forget_reason, forgotten_at is not null as forgotten from memory_history('mem_ann', (select id from made where name = 'coffee'));
\set VERBOSITY terse
select memory_forget('mem_ann', (select id from made where name = 'coffee'));
select memory_forget('mem_ann', 'mem_nonesuch');
select memory_update('mem_ann', 'mem_nonesuch', 'x');
select memory_history('nobody', 'mem_nonesuch');
\set VERBOSITY default

-- relations
select memory_relate('mem_ann', (select id from made where name = 'hamburg'), (select id from made where name = 'trip3'), 'derives', 'a guess');
select relation, reason from memory_relation where subject_key = subject_key('mem_ann') and relation <> 'updates';
select is_inference from memory join made using (id) where name = 'hamburg';
select memory_relate('mem_ann', (select id from made where name = 'hamburg'), (select id from made where name = 'trip3'), 'likes');

-- many at once; attributes that are not the caller's to set are ignored
select memory, is_static, forget_reason from memories_add('mem_bob', '[
  {"content": "Bob sails", "is_static": true},
  {"content": "Bob sails"},
  {"content": "Bob has a dog", "metadata": {"tags": ["pet"]}, "version": 7, "project_id": "00000000-0000-0000-0000-000000000000", "superseded_at": "2020-01-01"}
]');
select memory, version, metadata from memory_list('mem_bob') order by memory;
select memory from memory_list('mem_bob', '{"AND": [{"key": "tags", "filterType": "array_contains", "value": "pet"}]}');

-- bad input
select memory_add('mem_bob', '   ');
select memory_add('mem_bob', null);
select memory_add('mem_bob', repeat('x', 10001));
select memory_add('mem_bob', 'x', metadata => '{"a": {"b": 1}}');
select memory_add('mem_bob', 'x', metadata => '{"a": null}');
select memory_add('mem_bob', 'x', metadata => '[]');
select memory_add('mem_bob', 'x', kind => 'profile_field');
select memory_add('mem_bob', 'x', importance => 2);
select memory_add('mem_bob', 'x', kind => 'rumour');
select memories_add('mem_bob', '{"content": "x"}');
select memories_add('mem_bob', '["x"]');
select memories_add('mem_bob', '[{"content": "Bob sings"}, {"content": ""}]');
select memory_list('mem_bob', '{"key": "a", "value": "b"}');
select memory_list('mem_bob', '{"AND": [{"key": "a b", "value": "b"}]}');
select count(*) as memories from memory_list('mem_bob');

-- a profile field is not revised as a memory
select profile_patch('mem_bob', '[{"field_key": "name", "value": "Bob"}]');
\set VERBOSITY sqlstate
select memory_update('mem_bob', profile_get('mem_bob', 'full') #>> '{name,memory_id}', 'x');
\set VERBOSITY default

-- the profile in sentences: static oldest first with what was edited by hand before all else, dynamic newest first
select profile_patch('mem_bob', '[{"field_key": "email", "value": "bob@example.com", "confidence": 1}]');
select section, memory from profile_memories('mem_bob');

-- whoever writes to the table itself writes no row that cannot be
create function pg_temp.refused(changes jsonb) returns text language plpgsql as $$
begin
  insert into memory
  select (jsonb_populate_record(m, '{"id": "mem_other", "root_id": "mem_other"}' || changes)).*
  from memory m where m.subject_key = subject_key('mem_ann') and m.superseded_at is null and m.forgotten_at is null limit 1;
  raise exception 'accepted';
exception when others then
  return sqlstate || ' ' || sqlerrm;
end
$$;
select changes, pg_temp.refused(changes)
from unnest(array['{"id": ""}', '{"id": "a b"}', jsonb_build_object('id', repeat('a', 101)), '{"content": ""}',
                  '{"kind": "guess"}', '{"kind": "profile_field"}', '{"field_key": "name"}', '{"review_status": "pending"}', '{"importance": 1.1}',
                  '{"importance": "NaN"}', '{"confidence": -0.1}', '{"metadata": []}', '{"metadata": null}', '{"version": 0}', '{"source_type": "rumour"}',
                  '{"kind": "profile_field", "field_key": "name", "slot": "home"}']::jsonb[]) changes;
select pg_temp.refused(jsonb_build_object('content', repeat('é', 10001))) as long, pg_temp.refused(jsonb_build_object('content', repeat('é', 10000))) as longest;
\set VERBOSITY terse
update memory set importance = 2 where subject_key = subject_key('mem_ann');
\set VERBOSITY default

select profile_erase('mem_ann') - 'events' as ann, profile_erase('mem_bob') - 'events' as bob;
select profile_erase('mem_ann');
