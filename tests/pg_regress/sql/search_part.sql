-- A search of a part of a large subject: what comes into question by its vector or its words, compared with a search of all.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;

-- Two thousand memories, topic by topic, as life brings them; digests of a few blocks, where a real subject has them of many.
create function part_word(list text, n integer) returns text language sql immutable as $$
  select (string_to_array(list, ' '))[1 + n % cardinality(string_to_array(list, ' '))] $$;
create function part_memory(n integer) returns text language sql immutable as $$
  select format('%s %s %s %s', part_word('Ada Bruno Chiara Dmitri Elif Farah Goran', n),
    part_word('sold lost painted ordered repaired', n / 400),
    part_word('tents violins lamps contracts canoes suitcases engines umbrellas pianos newsletters', n / 200), n) $$;
select project_configure('{"inline_embedding_limit": 0}') ->> 'inline_embedding_limit' as inline;
select count(*) from memories_add('part', (
  select jsonb_agg(jsonb_build_object('content', part_memory(n), 'metadata', jsonb_build_object('n', n, 'date', date '2020-01-01' + n / 10)) order by n) from generate_series(0, 1999) n));
select _embed_all(subject_key('part'));
select subject_key('part') as key, current_project() as project \gset
-- of this size it gets none by itself
select _memories_digest(:'key');
select count(*) from memory_digest where subject_key = :'key';
select _memories_digest(:'key', at_most => 3, blocks => 4, least_blocks => 0);
select count(*) from memory_digest where subject_key = :'key';
select _memories_digest(:'key', blocks => 4);
select count(*) > 20 as digests, sum(texts) between 1900 and 2000 as counted, sum(gone) as gone, bool_and(last_block = first_block + 3) as of_four
from memory_digest where subject_key = :'key';
select count(*) = 64 as buckets from (select distinct bucket from memory_digest_words where subject_key = :'key') b;

create function part_of(q text, subject text default 'part') returns table (part boolean, fewer boolean) language sql as $$
  select e ->> 'part_of' is not null, (e ->> 'searched')::integer < (e ->> 'part_of')::integer from memory_search_explain(subject, q) e $$;
create table part_question (n integer primary key, q text);
insert into part_question values
  (1, 'Who lost a canoe?'), (2, 'Which musical instruments were painted?'), (3, 'Dmitri and the engines'), (4, '1234'), (5, 'What did Elif order in 777?'),
  (6, 'something against the rain'), (7, 'Ada'), (8, 'quarterly interest rates of central banks'),
  (9, 'What happened on 3 May 2020?'), (10, 'the of and');
create function part_answers(search_texts integer, max_results integer default 10, threshold float default 0) returns table (n integer, ids text[], scores numeric[])
language plpgsql as $$
begin
  perform set_config('memory_profile.search_texts', search_texts::text, false);
  return query
  select p.n, array_agg(s.id order by s.place), array_agg(round(s.similarity::numeric, 3) order by s.place)
  from part_question p
  cross join lateral (select row_number() over () as place, m.* from memory_search('part', p.q, threshold, max_results => max_results) m) s
  group by p.n;
end
$$;

-- the setting says from which size on; by default this subject is too small
select part from part_of('Who lost a canoe?');
set memory_profile.search_texts = 5000;
select part from part_of('Who lost a canoe?');
set memory_profile.search_texts = 1000;
select p.n, o.* from part_question p, part_of(p.q) o order by n;
set memory_profile.search_texts = 0;
select part from part_of('Who lost a canoe?');
set memory_profile.search_texts = -1;

-- the answers are the same, and their scores
select p.n, cardinality(p.ids) as answers, p.ids[1:5] = a.ids[1:5] as same_five,
       (select count(*) from unnest(p.ids) id where id = any (a.ids)) >= 9 as same_ten, p.scores[1:3] = a.scores[1:3] as same_scores
from part_answers(1000) p join part_answers(0) a using (n) order by n;
select sum(cardinality(p.ids)) = (select sum(cardinality(a.ids)) from part_answers(0, 100) a) as as_many from part_answers(1000, 100) p;

-- what might be missed for good is looked for among all: filters, forgotten memories, more rows than are looked at closer, corrections
set memory_profile.search_texts = 1000;
select e ->> 'part_of' is null as all_read, e -> 'returned' as returned
from memory_search_explain('part', 'Who lost a canoe?', threshold => 0, filters => '{"AND": [{"filterType": "numeric", "key": "n", "numericOperator": ">=", "value": "1995"}]}') e;
select count(*) from memory_search('part', 'Who lost a canoe?', 0, '{"AND": [{"filterType": "numeric", "key": "n", "numericOperator": ">=", "value": "1995"}]}');
select memory_search_explain('part', 'Who lost a canoe?', include_forgotten => true) ->> 'part_of' is null as all_read;
select memory_search_explain('part', 'Who lost a canoe?', max_results => 101) ->> 'part_of' is null as all_read;
select memory_search_explain('part', 'Who lost a canoe?', rewrite_query => true) ->> 'part_of' is null as all_read;
select count(*) from memory_search('part', 'Who lost a canoe?', 0, max_results => 1000);
select memory_search_explain('part', 'Who lost a canoe?', search_mode => 'documents') ->> 'part_of' is null as no_memories;
select count(*) > 0 as found from memory_search('part', 'Who lost a canoe?', search_mode => 'hybrid');
set memory_profile.embedding_model = '';
select memory_search_explain('part', '1234') ->> 'part_of' is null as all_read;
reset memory_profile.embedding_model;

-- of so many memories a filter is tried on the best first: whoever passes it among the best of all comes, nobody else does, and as
-- many as pass come
reset memory_profile.search_texts;
create table part_filter (n integer primary key, filter jsonb);
insert into part_filter values
  (1, '{"AND": [{"filterType": "numeric", "key": "n", "numericOperator": "<", "value": "1500"}]}'),
  (2, '{"AND": [{"filterType": "string_contains", "key": "date", "value": "-03-"}]}'),
  (3, '{"AND": [{"filterType": "numeric", "key": "n", "numericOperator": ">=", "value": "1890"}]}'),
  (4, '{"AND": [{"filterType": "numeric", "key": "n", "numericOperator": "<", "value": "30"}]}'),
  (5, '{"AND": [{"key": "n", "value": "no"}]}'),
  (6, '{"AND": [{"key": "n", "value": "no", "negate": true}]}');
create table part_found as
select f.n, p.n as question, array_agg(s.id order by s.place) filter (where s.id is not null) as ids
from part_filter f join part_question p on p.n in (1, 3, 4, 10)
left join lateral (select row_number() over () as place, m.id from memory_search('part', p.q, 0, f.filter, 100) m) s on true
group by f.n, p.n;
create table part_best as
select p.n as question, s.place, s.id from part_question p
cross join lateral (select row_number() over () as place, m.id from memory_search('part', p.q, 0, max_results => 40) m) s where p.n in (1, 3, 4, 10);
select f.n, count(*) as questions, min(coalesce(cardinality(d.ids), 0)) as fewest, max(coalesce(cardinality(d.ids), 0)) as most,
       bool_and((select bool_and(_filter_matches(f.filter, m.metadata)) from memory m where m.subject_key = :'key' and m.id = any (d.ids))) as all_pass,
       bool_and((select bool_and(b.id = any (d.ids)) from part_best b join memory m on m.subject_key = :'key' and m.id = b.id
                 where b.question = d.question and _filter_matches(f.filter, m.metadata))) as best_come
from part_filter f join part_found d using (n) group by f.n order by f.n;
select f.n, bool_and(d.ids is not distinct from (select array_agg(s.id order by s.place)
                     from (select row_number() over () as place, m.id from memory_search(null, p.q, 0, f.filter, 100) m) s)) as in_project
from part_filter f join part_found d using (n) join part_question p on p.n = d.question where p.n = 1 group by f.n order by f.n;
select e #>> '{text,because}' as because, count(*) from memory m, memory_search_explain('part', 'Who lost a canoe?', m.id, 0, (select filter from part_filter where n = 4)) e
where m.subject_key = :'key' and m.metadata ->> 'n' in ('31', '800', '1999') group by 1;
set memory_profile.search_texts = 1000;
select memory_search_explain('part', 'Who lost a canoe?', filters => filter) ->> 'part_of' is null as all_read from part_filter where n = 6;
drop table part_filter, part_found, part_best;

-- the nearer to the question, the sooner it comes into question
select count(*) filter (where e #>> '{text,because}' ~ 'does not come into question') > 0 as some_do_not,
       count(*) filter (where e #>> '{text,because}' ~ 'does not come into question' and m.content ~ 'canoes') as of_the_best
from (select * from memory m where m.subject_key = :'key' and (m.metadata ->> 'n')::integer % 40 = 0) m,
     memory_search_explain('part', 'Who lost a canoe?', m.id) e;
-- and to explain a text changes nothing
select bool_and((e #>> '{text,returned}')::boolean and (e #> '{text,score,similarity}')::float = s.similarity) as as_returned, count(*)
from memory_search('part', 'Who lost a canoe?', 0, max_results => 20) s, memory_search_explain('part', 'Who lost a canoe?', s.id, 0, max_results => 20) e;

-- where the best are no longer current, and their digests do not know, others are not missed for them
update memory m set forget_after = now() - interval '1 minute' where m.subject_key = :'key' and m.content ~ 'lost|canoes|suitcases|umbrellas';
select sum(gone) as gone from memory_digest where subject_key = :'key';
select part from part_of('Who lost a canoe?');
select count(*), count(*) filter (where memory ~ 'lost|canoes|suitcases|umbrellas') as expired from memory_search('part', 'Who lost a canoe?', 0, max_results => 100);
update memory m set forget_after = null where m.subject_key = :'key' and m.forget_after is not null;
select part from part_of('Who lost a canoe?');

-- while a twentieth of them have no vector in the digests, all are read
update memory_digest set coded = 0 where subject_key = :'key' and first_block < 60;
select part from part_of('Who lost a canoe?');
select _memories_digest_coded(:'key', (select id from embedding_model where name = current_setting('memory_profile.embedding_model')));
select bool_and(coded = texts) as coded from memory_digest where subject_key = :'key';
select count(distinct c.first_block) = count(distinct d.first_block) as all_have_codes
from memory_digest d left join memory_digest_codes c using (subject_key, first_block) where d.subject_key = :'key';
select part from part_of('Who lost a canoe?');

-- what is written, changed, forgotten and restored since is found as it stands
select memory_add('part', 'Hanna keeps the spare key under the blue flowerpot') is not null as added;
select memory from memory_search('part', 'Where is the spare key?', max_results => 1);
select id as changed from memory_search('part', '777', max_results => 1) \gset
select content from memory where subject_key = :'key' and id = :'changed';
select memory_update('part', :'changed', 'Ada hid a treasure map in the attic') is not null as updated;
select memory from memory_search('part', 'treasure map', max_results => 1);
select count(*) from memory_search('part', '777', 0) where memory like '% 777';
select id as lost from memory_search('part', '1234', max_results => 1) \gset
select memory_forget('part', :'lost', 'over') is not null as forgotten;
select count(*) from memory_search('part', '1234', 0) where memory like '% 1234';
select sum(gone) from memory_digest where subject_key = :'key';
select memory_restore('part', :'lost') is not null as restored;
select memory from memory_search('part', '1234', max_results => 1);
select id as lost from memory_search('part', '1234', max_results => 1) \gset
select memory_forget('part', :'lost', 'again') is not null as forgotten;
select count(*) from memory_search('part', '1234', 0) where memory like '% 1234';
select memory_undo('part', (select d.id from memory_decisions('part', :'lost') d where d.decision = 'forgotten' order by d.created_at desc limit 1)) is not null as undone;
select memory from memory_search('part', '1234', max_results => 1);
-- a digest of which a twentieth has gone is made anew
select first_block, texts from memory_digest where subject_key = :'key' and first_block = 40 \gset old_
select count(memory_forget('part', m.id, 'over')) > 5 as forgotten from memory m where m.subject_key = :'key' and m.signature_block in (40, 41);
select texts < :old_texts as fewer, gone <= texts / 20 as few_gone from memory_digest where subject_key = :'key' and first_block = 40;
select s.texts, s.texts = (select count(*) from memory m where m.subject_key = :'key' and m.signature_block between d.first_block and d.last_block
                           and m.superseded_at is null and m.forgotten_at is null) as right_count
from memory_digest d, lateral (select d.texts) s where d.subject_key = :'key' and d.first_block = 40;

-- what is purged leaves no trace in a digest
select d.first_block as gone_block, d.texts as gone_texts from memory_digest d where d.subject_key = :'key' and d.gone = 0 order by d.first_block offset 3 limit 1 \gset
select memory_forget('part', (select m.id from memory m where m.subject_key = :'key' and m.signature_block = :gone_block and m.forgotten_at is null and m.superseded_at is null
                              order by m.ordinal limit 1)) is not null as forgotten;
select d.gone, d.texts - :gone_texts as texts from memory_digest d where d.subject_key = :'key' and d.first_block = :gone_block;
select memories_purge(interval '-1 second') > 1 as purged;
select d.gone, d.texts - :gone_texts as texts from memory_digest d where d.subject_key = :'key' and d.first_block = :gone_block;

-- signed anew, a subject of this size has no digests; with them it is a part again
select search_refresh() > 1900 as signed;
select count(*) from memory_digest where subject_key = :'key';
select part from part_of('Who lost a canoe?');
select _memories_digest(:'key', blocks => 16, least_blocks => 0);
select part from part_of('Who lost a canoe?');

-- indexes serve ordinary users
grant usage on schema public to memory_profile_user;
create role part_user login in role memory_profile_user;
select project_bind('default', 'part_user');
set role part_user;
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off;
set enable_sort = off;
set enable_bitmapscan = off;
prepare codes as select first_block, codes from memory_digest_codes where subject_key = $1 order by first_block, piece;
select * from plan_of('execute codes(null)') p where p ~ 'Index|Sort';
prepare words as select places from memory_digest_words where subject_key = $1 and bucket = any ($2);
select * from plan_of('execute words(null, null)') p where p ~ 'Index';
prepare passing(uuid[], text[]) as select a.place from unnest($1, $2) with ordinality a (subject_key, id, place)
cross join lateral (
  select from memory m
  left join memory_source l on l.subject_key = m.subject_key and l.memory_id = m.id
  left join document d on d.subject_key = l.subject_key and d.id = l.document_id
  cross join lateral (select _metadata_told(m.metadata, d.metadata) as metadata) told
  where m.subject_key = a.subject_key and m.id = a.id and m.superseded_at is null and told.metadata ? 'n'
  limit 1) m;
select trim(p) as plan from plan_of('execute passing(null, null)') p where p ~ 'on memory m';
select part from part_of('Who lost a canoe?');
reset role;
-- the digests of a project are nobody else's
select project_create('elsewhere') is not null as created;
create role part_stranger login in role memory_profile_user;
select project_bind('elsewhere', 'part_stranger');
set role part_stranger;
select (select count(*) from memory_digest) + (select count(*) from memory_digest_codes) + (select count(*) from memory_digest_words) as digests;
select count(*) from memory_search('part', 'Who lost a canoe?', 0);
insert into memory_digest select * from (select (jsonb_populate_record(null::memory_digest, jsonb_build_object('subject_key', :'key', 'first_block', 0,
  'project_id', :'project', 'last_block', 0, 'texts', 0, 'gone', 0, 'coded', 0, 'head', ''))).*) d;
reset role;
select profile_erase('part') ->> 'erased' as erased;
select (select count(*) from memory_digest) + (select count(*) from memory_digest_codes) + (select count(*) from memory_digest_words) as digests;
select project_configure('{"inline_embedding_limit": null}') -> 'inline_embedding_limit' as inline;
drop function part_answers, part_of, part_memory, part_word;
drop table part_question;
