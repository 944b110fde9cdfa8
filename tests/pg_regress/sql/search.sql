-- Search: by word, by meaning, filters, limits, modes, scores, bad input.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;

select count(*) from memories_add('srch_ann', '[
  {"content": "Ann adopted a golden retriever called Bruno", "metadata": {"topic": "pets", "year": 2021}},
  {"content": "Ann is allergic to peanuts", "is_static": true, "metadata": {"topic": "health", "year": 2019}},
  {"content": "Ann works as a nurse at the county hospital", "is_static": true, "metadata": {"topic": "work", "tags": ["job", "health"]}},
  {"content": "Ann is training for the Berlin marathon", "metadata": {"topic": "sport", "year": 2022}},
  {"content": "Ann has reserved a table at Luigi''s for Friday", "metadata": {"topic": "plans", "confirmed": true}},
  {"content": "Ann''s ticket number is ZX-4471", "metadata": {"topic": "plans"}}
]');
select count(*) from memories_add('srch_bob', '[{"content": "Bob adopted a cat called Minka"}, {"content": "Bob works as a baker"}]');

-- every memory has its vector, made in the same transaction
select count(*) as memories, count(e.embedding) as vectors, bool_and(vector_dims(e.embedding) = 384) as dimension
from memory m left join memory_embedding e on e.subject_key = m.subject_key and e.memory_id = m.id
where m.subject_key in (subject_key('srch_ann'), subject_key('srch_bob'));

-- by meaning alone: no word in common
select memory, similarity >= 0.6 as above_default from memory_search('srch_ann', 'What pet does she own?', max_results => 1);
select memory from memory_search('srch_ann', 'Which foods must be avoided?', 0, max_results => 1);
select memory from memory_search('srch_ann', 'occupation', 0, max_results => 1);
-- by word alone: a name that means nothing to a language model
select memory, similarity >= 0.6 as above_default from memory_search('srch_ann', 'zx-4471', max_results => 1);
-- stemming: reserve finds reserved
select memory from memory_search('srch_ann', 'table reservation', 0, max_results => 1);

-- the same text is near 1, the unrelated is low, and the order is by similarity
select memory, similarity >= 0.95 as same_text from memory_search('srch_ann', 'Ann is allergic to peanuts', max_results => 1);
select bool_and(similarity <= 0.3) as unrelated_is_low from memory_search('srch_ann', 'quarterly interest rates of central banks', 0);
select count(*) from memory_search('srch_ann', 'quarterly interest rates of central banks');
select bool_and(ordered) as ordered_by_similarity, bool_and(similarity between 0 and 1) as in_range
from (select similarity, similarity <= lag(similarity, 1, 1.0) over () as ordered from memory_search('srch_ann', 'dog', 0)) s;
select count(*) filter (where threshold = 0) > count(*) filter (where threshold = 0.6) as more_below,
       count(*) filter (where threshold = 1) as at_one
from (values (0.0), (0.6), (1.0)) t (threshold), memory_search('srch_ann', 'the dog Bruno', threshold);

-- the same question twice, the same answer
select array(select id || similarity from memory_search('srch_ann', 'running race', 0))
     = array(select id || similarity from memory_search('srch_ann', 'running race', 0)) as deterministic;

-- a subject is a wall; without one the whole project is searched
select distinct subject from memory_search('srch_ann', 'adopted', 0);
select subject, memory from memory_search(null, 'adopted', 0, max_results => 2) order by subject;
select count(*) from memory_search('srch_nobody', 'adopted', 0);
-- where the project has more subjects than a search looks into, the nearest of them; a filter and 0 look into all
set memory_profile.search_subjects = 1;
select distinct subject from memory_search(null, 'My cat is called Minka', 0);
select distinct subject from memory_search(null, 'Which foods must be avoided?', 0, search_mode => 'hybrid');
select e -> 'subjects' as subjects, e -> 'searched' as searched, e #> '{milliseconds,subjects}' is not null as measured
from memory_search_explain(null, 'My cat is called Minka') e;
select subject, memory from memory_search(null, 'My cat is called Minka', 0, '{"AND": [{"key": "topic", "value": "pets"}]}');
set memory_profile.search_subjects = 0;
select count(distinct subject) > 1 as all_subjects from memory_search(null, 'My cat is called Minka', 0, max_results => 1000);
reset memory_profile.search_subjects;
set memory_profile.search_subjects = -1;

-- filters
select memory from memory_search('srch_ann', 'Ann', 0, '{"AND": [{"key": "topic", "value": "pets"}]}');
select memory from memory_search('srch_ann', 'Ann', 0, '{"AND": [{"filterType": "numeric", "key": "year", "numericOperator": ">", "value": "2020"}]}') order by memory;
select memory from memory_search('srch_ann', 'Ann', 0, '{"AND": [{"filterType": "numeric", "key": "year", "numericOperator": ">", "value": "2020", "negate": true}]}') order by memory;
select memory from memory_search('srch_ann', 'Ann', 0, '{"OR": [{"key": "tags", "filterType": "array_contains", "value": "health"}, {"key": "confirmed", "value": "true"}]}') order by memory;
select memory from memory_search('srch_ann', 'Ann', 0, '{"AND": [{"key": "topic", "filterType": "string_contains", "value": "PLA", "ignoreCase": true}, {"key": "confirmed", "value": "true", "negate": true}]}');
select count(*) from memory_search('srch_ann', 'Ann', 0, '{"AND": [{"key": "nonesuch", "value": "x"}]}');
select count(*) from memory_search('srch_ann', 'Ann', 0, '{"AND": [{"key": "nonesuch", "value": "x", "negate": true}]}');
select memory from memory_search('srch_ann', 'Ann', 0, '"{\"AND\": [{\"key\": \"topic\", \"value\": \"work\"}]}"');

-- newest version only; forgotten and expired only on request
select memory_update('srch_ann', id, 'Ann works as a head nurse at the university clinic') is not null as updated from memory_search('srch_ann', 'nurse', max_results => 1);
select memory, version from memory_search('srch_ann', 'nurse', 0.6);
select memory_forget('srch_ann', id, 'it ran away') is not null as forgotten from memory_search('srch_ann', 'retriever', max_results => 1);
select count(*) from memory_search('srch_ann', 'retriever');
select memory from memory_search('srch_ann', 'retriever', include_forgotten => true);
select memory_add('srch_ann', 'Ann parks on level four', forget_after => now() - interval '1 minute') is not null as added;
select count(*) from memory_search('srch_ann', 'where does she park her car on which level', 0.5);
select memory from memory_search('srch_ann', 'where does she park her car on which level', 0.5, include_forgotten => true, max_results => 1);

-- it joins with the user's own tables
create temporary table customer (subject text, plan text);
insert into customer values ('srch_ann', 'pro'), ('srch_bob', 'free');
select c.subject, c.plan, s.memory
from customer c cross join lateral memory_search(c.subject, 'What is their job?', 0, max_results => 1) s order by c.subject;

-- documents, memories and both
select document_add('srch_bob', 'The bakery opens at five in the morning. Sourdough is Bob''s speciality.', title => 'Bakery notes', metadata => '{"kind": "note"}') ~ '^doc_' as added;
call run_jobs();
select memory, chunk, kind, document_id ~ '^doc_' as of_document from memory_search('srch_bob', 'when does the bakery open', 0.5, search_mode => 'documents');
select count(*) filter (where chunk is not null) > 0 as chunks, count(*) filter (where memory is not null) > 0 as memories
from memory_search('srch_bob', 'bakery', 0, search_mode => 'hybrid');

-- why a row came
select jsonb_object_keys(score) as key from memory_search('srch_bob', 'baker', max_results => 1) order by key;
select round((score ->> 'evidence')::numeric, 6) = round((
         select sum(value::numeric) from jsonb_each_text(score -> 'contributions')), 6) as parts_add_up
from memory_search('srch_bob', 'baker', max_results => 1);

-- weights are the project's to change
begin;
select project_configure('{"scoring": {"weights": {"cosine": 0}}}') -> 'scoring' as scoring;
select (score #>> '{contributions,meaning}')::numeric = 0 as no_meaning from memory_search('srch_bob', 'baker', 0, max_results => 1);
rollback;
-- and so are the model's, which the project's go before
begin;
update embedding_model set scoring = '{"weights": {"cosine": 0, "share": 0}, "calibration": {"knots": [[-100, 0.5], [100, 0.7]]}}';
select project_configure('{"scoring": {"weights": {"share": 1}}}') -> 'scoring' as scoring;
select (score #>> '{contributions,meaning}')::numeric = 0 as no_meaning, (score #>> '{contributions,words}')::numeric > 0 as words,
       similarity between 0.5 and 0.7 as calibrated
from memory_search('srch_bob', 'baker', 0, max_results => 1);
update embedding_model set scoring = '{"weights": {"speed": 1}}';
rollback;
select project_configure('{"scoring": {"weights": {"speed": 1}}}');
select project_configure('{"scoring": 1}');

-- without a model words still find, and the session is told once
set memory_profile.embedding_model = 'no-such-model';
\set VERBOSITY terse
select memory from memory_search('srch_ann', 'peanuts', max_results => 1);
select memory from memory_search('srch_ann', 'marathon', max_results => 1);
select memory_add('srch_ann', 'Ann plays chess') is not null as added;
select memory from memory_search('srch_ann', 'chess', max_results => 1);
set memory_profile.embedding_model = 'all-MiniLM-L6-v2';
-- what has no vector yet is found by words among those that have one, and gets one later
select memory from memory_search('srch_ann', 'chess', max_results => 1);
select embeddings_refresh();
call run_jobs();
select count(*) from memory m where m.subject_key = subject_key('srch_ann') and superseded_at is null
  and not exists (select from memory_embedding e where e.subject_key = m.subject_key and e.memory_id = m.id);
\set VERBOSITY default

-- bad input
select memory_search('srch_ann', '');
select memory_search('srch_ann', null);
select memory_search('srch_ann', 'x', 1.5);
select memory_search('srch_ann', 'x', -0.1);
select memory_search('srch_ann', 'x', 'NaN');
select memory_search('srch_ann', 'x', max_results => 0);
select memory_search('srch_ann', 'x', max_results => 1001);
select memory_search('srch_ann', 'x', search_mode => 'everything');
select memory_search('srch_ann', 'x', filters => '{"NOT": []}');
select memory_search('srch_ann', 'x', filters => '{"AND": [{"key": "a", "filterType": "numeric", "value": "ten"}]}');
-- odd queries are questions, too
select count(*) >= 0 as fine from memory_search('srch_ann', repeat('why ', 20000), 0);
select count(*) >= 0 as fine from memory_search('srch_ann', E'\u00e9\U0001F600 ''; drop table memory; -- \\ %_ & | ! ( )', 0);
select count(*) >= 0 as fine from memory_search('srch_ann', 'the of and', 0);

-- reading needs no more than a read-only transaction
begin read only;
select memory from memory_search('srch_bob', 'baker', max_results => 1);
select profile_get('srch_bob');
select count(*) from profile_memories('srch_bob');
select profile_export('srch_bob') #>> '{profile,externalId}' as exported;
commit;

select profile_erase('srch_ann') ->> 'erased' as a, profile_erase('srch_bob') ->> 'erased' as b;

-- why a text came, and why another did not
select memory_add('srch_why', 'Ann adopted a golden retriever called Bruno') as bruno, memory_add('srch_why', 'Ann is allergic to peanuts') as peanuts,
       memory_add('srch_why', 'Ann is training for the Berlin marathon', metadata => '{"sport": true}') as marathon \gset
select e -> 'searched' as searched, e -> 'returned' as returned, e #> '{text,place}' as place, e #> '{text,returned}' as is_returned,
       e #> '{text,because}' as because, e #> '{text,score,contributions}' is not null as scored,
       (select count(*) from jsonb_object_keys(e -> 'milliseconds')) as steps
from memory_search_explain('srch_why', 'golden retriever', :'bruno') e;
select e #> '{text,place}' as place, e #>> '{text,because}' as because from memory_search_explain('srch_why', 'golden retriever', :'marathon') e;
select e #>> '{text,because}' as because from memory_search_explain('srch_why', 'golden retriever', :'bruno', filters => '{"AND": [{"key": "sport", "value": "true"}]}') e;
select e #>> '{text,because}' as because from memory_search_explain('srch_why', 'golden retriever', 'mem_unknown') e;
select e #>> '{text,because}' as because from memory_search_explain('srch_why', 'Ann', :'peanuts', 0, max_results => 1) e;
select e -> 'text' as text from memory_search_explain('srch_why', 'golden retriever') e;

-- a word that nobody used is read as the one that was probably meant, if the question may be rewritten
select (memory_search_explain('srch_why', 'retreiver', :'bruno', rewrite_query => rewrite) #>> '{text,score,parts,coverage}')::numeric > 0 as found,
       rewrite
from (values (false), (true)) t (rewrite);

-- structure given under either name fills the columns
select memory_add('srch_cols', 'We camped at the lake', metadata => '{"speaker": "Ann", "conversationId": "c1", "sequence": 4, "date": "2024-05-06"}') as a,
       memory_add('srch_cols', 'It rained', metadata => '{"temporalContext.eventDate": ["2024-05-07"], "temporalContext.documentDate": "2024-06-01"}') as b \gset
select speaker, conversation_id, sequence, (event_date at time zone 'UTC')::date as day from memory where subject_key = subject_key('srch_cols') order by ordinal;

-- a new version keeps its place in the conversation, but for what is changed
select memory_update('srch_cols', :'a', 'We camped at the big lake', '{"metadata": {"date": "2024-05-08"}}') as a2 \gset
select speaker, conversation_id, sequence, (event_date at time zone 'UTC')::date as day from memory where subject_key = subject_key('srch_cols') and id = :'a2';
-- what cannot be read as a date does not hide what can
select memory_add('srch_cols', 'It cleared up', metadata => '{"date": "soon", "temporalContext.documentDate": "2024-05-09"}') as c \gset
select (event_date at time zone 'UTC')::date as day from memory where subject_key = subject_key('srch_cols') and id = :'c';

-- signatures written where there is no model keep the codes of the vectors that are there
set memory_profile.embedding_model = '';
select search_refresh() > 0 as signed;
reset memory_profile.embedding_model;
select count(*) > 0 as found_by_meaning from memory_search('srch_why', 'pets');
select embeddings_refresh() as nothing_to_do;

-- more rows wanted, the same order
select (array_agg(id))[1:2] = (select array_agg(id) from memory_search('srch_why', 'Ann', 0, max_results => 2)) as same_order
from memory_search('srch_why', 'Ann', 0, max_results => 1000);
