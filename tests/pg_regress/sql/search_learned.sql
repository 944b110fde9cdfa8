-- Searching what was learned from a conversation: memories of one turn, and the words that were said where they come from.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
set memory_profile.embedding_model = '';

select learn('sl_ann', '[
  {"role": "user", "name": "Ben", "content": "Hey Ann! Which instrument do you practise nowadays? Tell me!", "conversation_id": "sl-1"},
  {"role": "user", "name": "Ann", "content": "I started with the cello in spring. My sister Eva teaches at the conservatory.", "conversation_id": "sl-1"},
  {"role": "user", "name": "Ben", "content": "I moved to a flat near the harbour.", "conversation_id": "sl-1"}
]', 'chat history') is not null as queued;
call run_jobs();
select speaker, sequence, content, cardinality(heard) > 0 as heard from memory where subject_key = subject_key('sl_ann') order by sequence, ordinal;

-- what the turn before asks ahead of its end is found in what answers it, as a word nearby and none of its own
select memory, (score #>> '{parts,coverage}')::real as own, (score #>> '{parts,coverage_nearby}')::real > 0 as nearby
from memory_search('sl_ann', 'instrument practise', 0) where memory like '%cello%';
-- it is heard of no farther than in the next turn
select memory, (score #>> '{parts,coverage_nearby}')::real > 0 as nearby
from memory_search('sl_ann', 'instrument practise harbour', 0) where memory like '%harbour%';

-- memories of one turn speak for each other, and the lesser of them steps back
select memory, (score #>> '{parts,coverage_together}')::real > 0 as together, (score #>> '{parts,repeats}')::real as repeats
from memory_search('sl_ann', 'cello conservatory', 0, max_results => 2);

-- written anew, it is still there; a new text of a memory was not said there
create temporary table before as select id, (score ->> 'evidence')::numeric::numeric(8, 3) as evidence from memory_search('sl_ann', 'instrument practise', 0);
select search_refresh() > 0 as refreshed;
select count(*) filter (where b.evidence = (s.score ->> 'evidence')::numeric::numeric(8, 3)) as same, count(*)
from before b join memory_search('sl_ann', 'instrument practise', 0) s using (id);
select memory_update('sl_ann', id, 'Ann plays the drums') is not null as updated
from memory where subject_key = subject_key('sl_ann') and content like '%cello%';
select count(*) from memory where subject_key = subject_key('sl_ann') and superseded_at is null and content like '%drums%' and heard is not null;

-- a turn of very many words lends none
select learn('sl_long', jsonb_build_array(
  jsonb_build_object('role', 'user', 'name', 'Cy', 'content',
    'I live in Oslo. ' || (select string_agg(format('Item%s zebra%s.', i, i), ' ') from generate_series(1, 60) i)))::text, 'chat history') is not null as queued;
call run_jobs();
select count(*) > 0 as learned, count(*) filter (where heard <> '{}') as heard from memory where subject_key = subject_key('sl_long') and content like '%Oslo%';

-- a caller cannot bring words along
select count(*) from memories_add('sl_add', '[{"content": "Dee likes tea", "heard": [1, 2, 3]}]');
select heard from memory where subject_key = subject_key('sl_add');
-- nor are they in an export
select profile_export('sl_ann')::text like '%heard%' as exported;

-- an answer that says too little by itself repeats its question, and names the turn that asked; so it comes back from an export
select learn('sl_eva', '[
  {"role": "user", "name": "Ben", "content": "A week in the mountains! How did everybody like the cold?", "conversation_id": "sl-2", "sequence": 7},
  {"role": "user", "name": "Eva", "content": "They were tired and hungry. I bought a tent.", "conversation_id": "sl-2", "sequence": 8},
  {"role": "user", "name": "Ben", "content": "You can replace the butter in cakes with coconut oil.", "conversation_id": "sl-2", "sequence": 9}
]', 'chat history') is not null as queued;
call run_jobs();
select sequence, context_sequence, aside, content from memory where subject_key = subject_key('sl_eva') order by ordinal;
select memory from memory_search('sl_eva', 'How did they like the cold?', 0, max_results => 1);
create temporary table carried as select profile_export('sl_eva') as data;
select count(profile_erase('sl_eva')) as erased;
select count(profile_import(data)) as imported from carried;
select sequence, context_sequence from memory where subject_key = subject_key('sl_eva') and context_sequence is not null;

select count(profile_erase(external_id)) from subject where external_id like 'sl\_%';
