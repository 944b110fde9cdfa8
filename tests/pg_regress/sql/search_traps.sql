-- Search where searches break: odd queries, odd subjects, plans that are kept, vectors of another model.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
select project_create('traps') is not null as created;
select use_project('traps');

select count(*) from memories_add('trap_ann', '[
  {"content": "Ann works as a nurse at the county hospital"},
  {"content": "Ann adopted a golden retriever called Bruno"},
  {"content": "Ann is allergic to peanuts"},
  {"content": "Ann is training for the Berlin marathon"},
  {"content": "Ann plays the bass 🎸 in a band called The Who Knows"},
  {"content": "Ann has reserved a table at Luigi''s for Friday"},
  {"content": "Ann''s pattern for invoices is ^INV-[0-9]{4}(a|b)+$ and 100% of them match"},
  {"content": "Ann''s mother says: سارة تحب القهوة العربية"},
  {"content": "Ann''s neighbour says: דנה אוהבת לשחות בים"},
  {"content": "Ann moved from Zürich to Łódź in 2019"},
  {"content": "Ann keeps the key\tof the\nshed\u0001 under a pot"},
  {"content": "Ann''s ticket number is ZX-4471"}
]');

-- What holds of every answer: similarities from 0 to 1, none above the one before it, no row twice, the same again.
create function pg_temp.sound(subject text, q text) returns boolean
language sql
as $$
  with answer as materialized (
    select row_number() over () as place, id, similarity from memory_profile.memory_search(sound.subject, sound.q, 0, max_results => 1000)
  ), again as materialized (
    select row_number() over () as place, id, similarity from memory_profile.memory_search(sound.subject, sound.q, 0, max_results => 1000)
  )
  select (select coalesce(bool_and(similarity between 0 and 1), true) from answer)
     and (select coalesce(bool_and(similarity <= before), true) from (select similarity, lag(similarity, 1, 1.0) over (order by place) as before from answer) a)
     and (select count(distinct id) = count(*) from answer)
     and (select coalesce(array_agg(id order by place), '{}') from answer) = (select coalesce(array_agg(id order by place), '{}') from again)
$$;
create function pg_temp.first(subject text, q text) returns text
language sql
as $$ select memory from memory_profile.memory_search(first.subject, first.q, 0, max_results => 1) $$;

-- one word
select q, pg_temp.sound('trap_ann', q) as sound, pg_temp.first('trap_ann', q) ~* wanted as first
from (values ('hospital', 'nurse'), ('HOSPITAL', 'nurse'), ('peanut', 'peanuts'), ('Bruno', 'Bruno'), ('zx-4471', 'ZX-4471'), ('4471', '4471'),
             ('Łódź', 'Łódź'), ('łódź', 'Łódź'), ('zürich', 'Zürich'), ('dog', 'retriever'), ('running', 'marathon')) t (q, wanted);
select q, pg_temp.sound('trap_ann', q) as sound from (values ('a'), ('?'), ('x'), ('Ann')) t (q);

-- nothing but stop words: found by meaning, if at all
select q, pg_temp.sound('trap_ann', q) as sound, (select count(*) > 0 from memory_search('trap_ann', q, 0)) as answers
from (values ('the of and'), ('who is it?'), ('the'), ('what was she doing there with them')) t (q);

-- nothing to ask
select memory_search('trap_ann', '');
select memory_search('trap_ann', E' \t\r\n ');
select memory_search('trap_ann', E'\u00a0\u2003');

-- long: 10,000 characters of one word, of many words, of one word without an end, and of four bytes each
set client_min_messages = warning;
select name, length(q) >= 10000 as long, pg_temp.sound('trap_ann', q) as sound
from (values ('one word', repeat('why ', 2500)), ('many words', (select string_agg(md5(n::text), ' ') from generate_series(1, 310) n)),
             ('without an end', repeat('x', 10000)), ('emoji', repeat('🎸', 10000)), ('stop words', repeat('the of and ', 1000)),
             ('marks', repeat('?!.', 4000))) t (name, q);
select pg_temp.first('trap_ann', 'Which foods must be avoided? ' || repeat('peanuts ', 1200)) as long_and_found;
reset client_min_messages;

-- emoji, text from right to left, letters that are put together, characters without a width
select name, pg_temp.sound('trap_ann', q) as sound, pg_temp.first('trap_ann', q) ~ wanted as first
from (values ('emoji and word', '🎸 bass', 'bass'), ('arabic', 'القهوة', 'القهوة'), ('arabic question', 'من تحب القهوة؟', 'القهوة'),
             ('hebrew', 'לשחות', 'לשחות'), ('mark in front', E'\u200fלשחות', 'לשחות'), ('override', E'\u202ehospital\u202c', 'nurse'),
             ('byte order mark', E'\ufeffhospital', 'nurse'), ('composed', E'Z\u00fcrich', 'Zürich')) t (name, q, wanted);
select name, pg_temp.sound('trap_ann', q) as sound
from (values ('emoji alone', '🎸'), ('family', E'\U0001F468\u200D\U0001F469\u200D\U0001F467'), ('flag', '🇵🇹'), ('decomposed', E'Zu\u0308rich'),
             ('zero width', E'\u200b'), ('chinese', '她住在哪里？'), ('thai', 'เธออยู่ที่ไหน'), ('beyond the planes', E'\U0010FFFF')) t (name, q);

-- control characters
select name, pg_temp.sound('trap_ann', q) as sound
from (values ('low', E'\u0001\u0002\u001f'), ('delete', E'\u007f'), ('between', E'hospital\u0001\u0008'), ('lines', E'county\nhospital\r\n')) t (name, q);
select pg_temp.first('trap_ann', E'key\tof\nthe shed\u0001') ~ 'shed' as found_between_controls;

-- what means something to SQL, to patterns and to a text search
select q, pg_temp.sound('trap_ann', q) as sound
from (values ($q$'; drop table memory_profile.memory; --$q$), ($q$' or '1' = '1$q$), ($q$"$q$), ($q$$1$q$), ($q$$$ $$$q$), ($q$/* subject m */$q$),
             ($q$/* filter m */ and false$q$), ($q$\$q$), ($q$\' \\ \x00 \u0000$q$), ($q$%$q$), ($q$100%_$q$), ($q$.*$q$), ($q$(a|b)+$$q$), ($q$[[:alpha:]$q$), ($q$(?<!$q$),
             ($q$a & !b <-> c:*$q$), ($q$nurse:*A & !$q$), ($q$'nurse'$q$), ($q${"a": [1]}$q$), ($q$$.a[*] ? (@ > 1)$q$), ($q$<b>nurse</b>$q$),
             ($q$http://example.com/a?b=c&d=%20$q$), ($q$ann@example.com$q$), ($q$../../etc/passwd$q$), ($q${{ q }} ${q} %s %(q)s$q$), ($q$[CLS] [SEP] [UNK] ##s$q$)) t (q);
select pg_temp.first('trap_ann', '^INV-[0-9]{4}(a|b)+$') ~ 'invoices' as pattern_is_text;
select count(*) as memories from memory where subject_key = subject_key('trap_ann');

-- the same text is near 1 and first, the unrelated is low
select bool_and(first.id = m.id) as first_is_the_same, bool_and(first.similarity >= 0.95) as near_one
from memory m, lateral (select id, similarity from memory_search('trap_ann', m.content, 0, max_results => 1)) first
where m.subject_key = subject_key('trap_ann');
select q, (select max(similarity) <= 0.3 from memory_search('trap_ann', q, 0)) as low, (select count(*) = 0 from memory_search('trap_ann', q)) as nothing
from (values ('the price of steel in the nineteenth century'), ('the boiling point of liquid nitrogen'), ('how are volcanoes formed under the sea')) t (q);

-- 0 brings most, 1 almost nothing, and what lies between is what 0 brings from there on
select q, (select count(*) > 6 from memory_search('trap_ann', q, 0, max_results => 100)) as most, (select count(*) <= 1 from memory_search('trap_ann', q, 1)) as almost_nothing
from (values ('Who has a dog?'), ('hospital'), ('Ann is allergic to peanuts')) t (q);
select threshold, bool_and(
         array(select id from memory_search('trap_ann', q, threshold, max_results => 100))
         = array(select id from memory_search('trap_ann', q, 0, max_results => 100) where similarity >= threshold)) as same_rows
from (values (0.1), (0.3), (0.6), (0.9)) t (threshold), (values ('Who has a dog?'), ('hospital'), ('Where is the key?'), ('the of and')) q (q)
group by threshold order by threshold;
-- a limit cuts the end off and changes nothing before it
select max_results, bool_and(
         array(select id from memory_search('trap_ann', q, 0, max_results => max_results))
         = (array(select id from memory_search('trap_ann', q, 0, max_results => 100)))[1:max_results]) as same_rows
from (values (1), (3), (11)) t (max_results), (values ('Who has a dog?'), ('hospital'), ('Where is the key?')) q (q)
group by max_results order by max_results;

-- a plan that is kept: the sixth and later executions answer as the first, for other values, too
prepare by_value(text, text, integer) as select array_agg(id) from (select id from memory_search($1, $2, 0, max_results => $3) limit $3) s;
create function pg_temp.executions() returns table (kept integer, same integer)
language plpgsql
as $$
declare
  asked text;
  wanted text[];
  got text[];
  rows_wanted integer;
begin
  kept := 0;
  same := 0;
  for execution in 1..9 loop
    asked := (array['Who has a dog?', 'hospital', 'Where is the key?'])[1 + execution % 3];
    rows_wanted := 1 + execution % 4;
    execute format('select array_agg(id) from (select id from memory_profile.memory_search(%L, %L, 0) limit %s) s', 'trap_ann', asked, rows_wanted) into wanted;
    execute format('execute by_value(%L, %L, %s)', 'trap_ann', asked, rows_wanted) into got;
    kept := kept + 1;
    same := same + (got = wanted)::integer;
  end loop;
  return next;
end
$$;
select * from pg_temp.executions();
set plan_cache_mode = force_generic_plan;
select * from pg_temp.executions();
reset plan_cache_mode;
deallocate by_value;

-- LIMIT in a variable of PL/pgSQL, whose statements are kept as well
create function pg_temp.limited(subject text, q text, wanted integer) returns text[]
language plpgsql
as $$
declare
  result text[];
begin
  result := array(select id from memory_profile.memory_search(limited.subject, limited.q, 0) limit wanted);
  return result;
end
$$;
select bool_and(cardinality(pg_temp.limited('trap_ann', 'Who has a dog?', 1 + n % 5)) = 1 + n % 5) as as_many,
       bool_and((pg_temp.limited('trap_ann', 'Who has a dog?', 1 + n % 5))[1] = (pg_temp.limited('trap_ann', 'Who has a dog?', 10))[1]) as same_first
from generate_series(1, 12) n;

-- subjects: unknown, empty, odd
select count(*) from memory_search('trap_nobody', 'hospital', 0);
select subject_exists('trap_nobody') as made_by_searching;
select memory_forget('trap_empty', memory_add('trap_empty', 'Nothing of this is left')) is not null as forgotten;
select subject_exists('trap_empty') as known, (select count(*) from memory_search('trap_empty', 'nothing is left', 0)) as found,
       (select count(*) from memory_search('trap_empty', 'nothing is left', 0, search_mode => 'hybrid')) as found_in_both,
       (select count(*) from memory_search('trap_empty', 'nothing is left', 0, include_forgotten => true)) as forgotten;
select memory_search('', 'hospital');
create temp table odd_subject as
select odd, memory_add(odd, 'The lamp of ' || odd || ' is green') as id
from (values ($q$trap '; drop table memory; --$q$), ('trap 🎸'), ('trap % _ *'), (E'trap \u202e אב')) t (odd);
select id is not null as added, pg_temp.sound(odd, 'lamp') as sound, (select count(*) from memory_search(odd, 'lamp', 0)) as found
from odd_subject;

-- one memory, and hundreds nearly the same
select memory_add('trap_one', 'The only thing that is known') is not null as added;
select pg_temp.sound('trap_one', 'only') as sound, (select similarity >= 0.95 from memory_search('trap_one', 'The only thing that is known', 0)) as near_one;
set memory_profile.embedding_model = '';
select count(*) from memories_add('trap_many', (select jsonb_agg(jsonb_build_object('content', 'Invoice number ' || n || ' was paid')) from generate_series(1, 300) n));
select pg_temp.sound('trap_many', 'which invoice was paid?') as sound, pg_temp.first('trap_many', 'invoice number 137') as one_of_hundreds;

-- a subject without vectors: words find, meaning cannot, nothing breaks
select count(*) from memories_add('trap_words', '[{"content": "Bea repairs bicycles"}, {"content": "Bea lives near the harbour"}]');
reset memory_profile.embedding_model;
select pg_temp.first('trap_words', 'bicycle') as first, pg_temp.sound('trap_words', 'bicycle') as sound;
select similarity >= 0.95 as near_one from memory_search('trap_words', 'Bea repairs bicycles', 0, max_results => 1);
select count(*) from memory_search('trap_words', 'occupation');
select pg_temp.sound('trap_words', 'occupation') as sound, pg_temp.sound('trap_words', 'the of and') as sound_of_stop_words;

-- Two models side by side. What is there becomes another model's, of which a search must take no notice.
select array_agg(id) as before from memory_search('trap_ann', 'Who has a dog?', 0) \gset
update embedding_model set name = 'former' where name = 'all-MiniLM-L6-v2';
\c -
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
select use_project('traps');
select count(*) as by_meaning from memory_search('trap_ann', 'occupation', 0);
select memory as by_words from memory_search('trap_ann', 'hospital', 0, max_results => 1);
select memory_add('trap_ann', 'Ann sings in a choir') is not null as added;
select array_agg(memory) as by_meaning from memory_search('trap_ann', 'occupation', 0);
select embeddings_refresh() > 0 as queued;
call run_jobs();
select array_agg(name order by name) as models from embedding_model;
select memory_forget('trap_ann', id) is not null as forgotten from memory_search('trap_ann', 'choir', 0, max_results => 1);
select array_agg(id) = :'before'::text[] as as_before from memory_search('trap_ann', 'Who has a dog?', 0);
select project_drop('traps') is not null as dropped;
delete from embedding_model where name = 'all-MiniLM-L6-v2';
update embedding_model set name = 'all-MiniLM-L6-v2' where name = 'former';
