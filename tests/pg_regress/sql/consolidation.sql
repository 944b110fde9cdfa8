-- Consolidation: what becomes of a statement that meets what is known, why, and how it is undone.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
select project_create('consolidation') is not null as created;
select use_project('consolidation');

-- What stands, and what was decided, oldest first; ids are made and differ.
create function pg_temp.standing(subject text) returns table (memory text, slot text, seen integer, importance numeric, version integer)
language sql as $$
  select m.content, m.slot, m.seen_count, m.importance::numeric, m.version
  from memory_profile.memory m
  where m.subject_key = memory_profile.subject_key(subject) and m.superseded_at is null and m.forgotten_at is null
  order by m.created_at
$$;
create function pg_temp.decided(subject text) returns table (decision text, about text, reason text, occasion text, content text, undone boolean)
language sql as $$
  select d.decision, d.memory, d.reason, o.content, d.content, d.undone_at is not null
  from memory_profile.memory_decisions(subject) d
  left join memory_profile.memory o on o.subject_key = memory_profile.subject_key(subject) and o.id = d.other_id
  order by d.id
$$;
-- Undoes the latest decision of a kind, and says what stands for it.
create function pg_temp.undo(subject text, made text) returns text
language plpgsql as $$
declare
  stands text := memory_undo(subject, (select max(d.id) from memory_decisions(subject) d where d.decision = made and d.undone_at is null));
begin
  return (select m.content from memory m where m.subject_key = subject_key(subject) and m.id = stands);
end
$$;
-- Learns at once.
create procedure pg_temp.learn(subject text, said text)
language plpgsql as $$
begin
  perform memory_profile.learn(subject, said);
  commit;
  call memory_profile.run_jobs();
end
$$;

-- the same text, and the same in other words, reinforce; what differs in a word does not
select memory_add('con_tea', 'User likes tea') = memory_add('con_tea', 'User enjoys tea') as one;
select memory_add('con_tea', 'User likes tea') = memory_add('con_tea', 'User is fond of tea') as one;
select count(memory_add('con_tea', content)) from unnest(array[
  'User likes coffee', 'User likes green tea', 'User''s sister likes tea', 'User liked tea', 'User has two cats', 'User has three cats']) content;
select * from pg_temp.standing('con_tea');
select * from pg_temp.decided('con_tea');
-- not what was said in a conversation as it was said, nor what is described otherwise, nor what happened on another day
select count(*) from memories_add('con_turns', '[
  {"content": "User likes tea", "speaker": "Ann", "sequence": 1}, {"content": "User enjoys tea", "speaker": "Ann", "sequence": 2},
  {"content": "User loves tea", "metadata": {"shop": "3"}},
  {"content": "User went to the gym", "kind": "event", "event_date": "2024-05-01"}, {"content": "User went to the gym", "kind": "event", "event_date": "2024-05-08"},
  {"content": "User went to the gym", "kind": "event", "event_date": "2024-05-08"}]');
select memory, seen from pg_temp.standing('con_turns');
-- a text that was taken for a paraphrase becomes a memory of its own, and what it added goes
select pg_temp.undo('con_tea', 'reinforced');
select memory, seen, importance from pg_temp.standing('con_tea') where memory like '%tea' order by memory;

-- a slot of which there is one: a new value supersedes by the rule of confidence, a surer one stays, the same value reinforces or extends
call pg_temp.learn('con_home', 'I live in Berlin.');
call pg_temp.learn('con_home', 'I live in Munich.');
call pg_temp.learn('con_home', 'I reside in Munich.');
call pg_temp.learn('con_home', 'I live in Munich with my sister.');
select * from pg_temp.standing('con_home') order by memory;
select * from pg_temp.decided('con_home');
select h.version, h.memory, h.relation, h.reason from memory_list('con_home') l, memory_history('con_home', l.id) h
where l.memory = 'User lives in Munich' order by h.version;
update memory set confidence = 0.99 where subject_key = subject_key('con_home') and slot = 'home';
call pg_temp.learn('con_home', 'I live in Vienna.');
select memory from pg_temp.standing('con_home') where slot = 'home';
select decision, about, reason, content from pg_temp.decided('con_home') where decision = 'rejected';
-- what was rejected is written when that is undone, and what was superseded comes back
select pg_temp.undo('con_home', 'rejected');
select memory, version from pg_temp.standing('con_home') where slot = 'home';
select pg_temp.undo('con_home', 'superseded');
select memory, version from pg_temp.standing('con_home') where slot = 'home';
-- what adds to the value of a slot goes with it, when another one takes its place and when it is denied, unless it is surer
call pg_temp.learn('con_detail', 'I live in Berlin. I live in Berlin with my sister. I work at Acme. I work at Acme on the night shift.');
call pg_temp.learn('con_detail', 'I live in Hamburg now. I no longer work at Acme.');
select * from pg_temp.standing('con_detail') order by memory;
select decision, about, reason, occasion from pg_temp.decided('con_detail') where decision in ('extended', 'contradicted') order by 1, 2;
select pg_temp.undo('con_detail', 'contradicted');
select pg_temp.undo('con_detail', 'contradicted');
-- another person's home is another slot
select (_memory_write(_subject_for_write('con_pair'), jsonb_build_object('content', who || ' lives in ' || place, 'slot', 'home of ' || lower(who), 'slot_value', place,
  'source_type', 'chat', 'confidence', 0.9), true)).content
from (values ('Ann', 'Bonn'), ('Bob', 'Rome'), ('Ann', 'Oslo')) v (who, place);
select memory, slot from pg_temp.standing('con_pair');

-- a denial without a new value forgets softly; memories and profile fields alike, and never what is surer
select profile_schema_set('[{"key": "employer", "type": "text"}]') ->> 'version' is not null as set;
call pg_temp.learn('con_deny', 'I like tea. I live in Berlin. I work at Acme.');
select profile_get('con_deny') ->> 'employer' as employer;
call pg_temp.learn('con_deny', 'I no longer live in Paris.');
call pg_temp.learn('con_deny', 'I don''t like tea any more. I no longer live in Berlin. I no longer work at Acme.');
select memory from pg_temp.standing('con_deny');
select profile_get('con_deny');
select decision, about, reason from pg_temp.decided('con_deny');
call pg_temp.learn('con_deny', 'I like tea.');
select memory from pg_temp.standing('con_deny') where memory like '%tea%';
select profile_patch('con_deny', '[{"field_key": "employer", "value": "Acme", "confidence": 1}]') -> 0 ->> 'created' as created;
call pg_temp.learn('con_deny', 'I work at Acme no more. I no longer work at Acme.');
select profile_get('con_deny') ->> 'employer' as employer;
select pg_temp.undo('con_deny', 'contradicted');
-- what was set by hand is not denied by what is learned, unless somebody says so; a caller's own denial stands beside it
select memory_add('con_sure', 'User likes jazz', source_type => 'manual', confidence => 1) is not null as added;
call pg_temp.learn('con_sure', 'I don''t like jazz any more.');
select memory_add('con_sure', 'User dislikes chess') is not null and memory_add('con_sure', 'User never likes jazz') is not null as added;
select memory from pg_temp.standing('con_sure');
select decision, about, reason, content from pg_temp.decided('con_sure');
select memory_undo('con_sure', min(id)) is not null as undone from memory_decisions('con_sure');
select memory from pg_temp.standing('con_sure');
-- a field that is learned once more is reinforced, not written anew
call pg_temp.learn('con_field', 'I work at Acme.');
call pg_temp.learn('con_field', 'Hello! I work at Acme.');
select version, seen_count from memory where subject_key = subject_key('con_field') and field_key = 'employer';

-- a detail extends, an inference derives
select memory_add('con_dog', 'User has a dog') is not null as added;
select memory_add('con_dog', 'User has a dog named Rex') is not null as added;
select (_memory_write(_subject_for_write('con_dog'), jsonb_build_object('content', 'User probably walks a lot', 'source_type', 'inferred',
  'derives_from', (select jsonb_agg(id) from memory_list('con_dog'))), true)).is_inference;
select n.content, r.relation, o.content as other, r.reason from memory_relation r
join memory n on n.subject_key = r.subject_key and n.id = r.from_id join memory o on o.subject_key = r.subject_key and o.id = r.to_id
where r.subject_key = subject_key('con_dog') order by 1, 2, 3;
select pg_temp.undo('con_dog', 'extended');
select count(*) from memory_relation where subject_key = subject_key('con_dog') and relation = 'extends';

-- expiry is written down as of its time; what was forgotten comes back as a new version, until it is purged
select memory_add('con_time', 'User is at a fair', forget_after => now() - interval '1 day', forget_reason => 'the fair is over') is not null as added;
update memory set created_at = now() - interval '2 days' where subject_key = subject_key('con_time');
select memories_expire();
select memories_expire();
select memory, forgotten_at < now() - interval '23 hours' as at_its_time, forget_reason
from memory_history('con_time', (select id from memory where subject_key = subject_key('con_time')));
select pg_temp.undo('con_time', 'expired');
select h.version, h.memory, h.reason, h.forgotten_at is null as there from memory_list('con_time') l, memory_history('con_time', l.id) h order by 1;
select memory_restore('con_time', l.id) = l.id as nothing_to_do from memory_list('con_time') l;
select memory_forget('con_time', l.id, 'enough') is not null as forgotten from memory_list('con_time') l;
select memories_purge();
select memories_purge('1 day');
begin;
update memory set forgotten_at = now() - interval '8 days' where subject_key = subject_key('con_time') and superseded_at is null;
select project_configure('{"keep_forgotten_days": 9}') ->> 'keep_forgotten_days' as days;
select memories_purge();
select project_configure('{"keep_forgotten_days": 7}') ->> 'keep_forgotten_days' as days;
select memories_purge();
select count(*) from memory where subject_key = subject_key('con_time');
select count(*) from memory_decisions('con_time');
select count(*) from memory_signature where subject_key = subject_key('con_time') and signatures <> '';
rollback;
select project_configure('{"keep_forgotten_days": 0}');

-- what cannot be undone
\set VERBOSITY terse
select memory_undo('con_time', 0);
select memory_undo('con_tea', d.id) from memory_decisions('con_tea') d where d.undone_at is not null;
select memory_restore('con_time', 'mem_nonesuch');
select memory_restore('nobody', 'mem_nonesuch');
select memory_forget('nobody', 'mem_nonesuch');
select memory_decisions('con_time', 'mem_nonesuch');
\set VERBOSITY default

-- an export holds the decisions, and an import restores them
select profile_import(profile_export('con_home'), 'con_copy') ->> 'decisions' = (select count(*)::text from memory_decisions('con_home')) as all_of_them;
select (select array_agg(s order by s.memory) from pg_temp.standing('con_copy') s) = (select array_agg(s order by s.memory) from pg_temp.standing('con_home') s) as same;

select project_drop('consolidation');
