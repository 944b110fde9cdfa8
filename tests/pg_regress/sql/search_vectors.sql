-- Questions whose vector the caller brings along.
\set ECHO none
\getenv inputdir PG_ABS_SRCDIR
\set include :inputdir /include/http.sql
\i :include
\set ECHO all
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
select project_create('search_vectors') is not null as created;
insert into test_key values ('all', api_key_create('search_vectors'));
select use_project('search_vectors') is not null as used;
select count(*) from memories_add('vec', '[
  {"content": "Ann adopted a golden retriever called Bruno"},
  {"content": "Ann is allergic to peanuts"},
  {"content": "Ann works as a nurse at the county hospital"}
]');
select _embed_query('What pet does she own?') as pet \gset

-- the words ask one thing, the vector another: the vector decides what is near
select memory from memory_search('vec', 'qqq', 0, max_results => 1, embedding => :'pet');
select memory from memory_search('vec', 'qqq', 0, max_results => 1, embedding => :'pet'::real[]::vector);
select memory from memory_search('vec', 'qqq', 0, max_results => 1, embedding => (select array_agg((2 * x)::real) from unnest(:'pet'::real[]) x));
-- of a vector alone no tokens are known
select s.score #> '{parts,cosine}' = e.score #> '{parts,cosine}' as same_cosine, s.score #> '{parts,maxsim}' <> e.score #> '{parts,maxsim}' as estimated
from (select * from memory_search('vec', 'What pet does she own?', 0, max_results => 1)) s,
     (select * from memory_search('vec', 'What pet does she own?', 0, max_results => 1, embedding => :'pet')) e;
select memory_search_explain('vec', 'qqq', embedding => :'pet') -> 'searched' as searched;
select profile_context('vec', 'What pet does she own?', 60, :'pet') like '%On the question%Bruno%' as in_context;

-- what cannot be compared
select memory_search('vec', 'qqq', embedding => '{1,2,3}');
select memory_search('vec', 'qqq', embedding => '{}');
select memory_search('vec', 'qqq', embedding => array_fill(0::real, array[384]));
select memory_search('vec', 'qqq', embedding => array_fill('NaN'::real, array[384]));
set memory_profile.embedding_model = '';
select memory_search('vec', 'qqq', embedding => :'pet');
reset memory_profile.embedding_model;

-- over HTTP
select pg_temp.json('POST', '/v4/search', jsonb_build_object('q', 'qqq', 'containerTag', 'vec', 'threshold', 0, 'limit', 1, 'embedding', :'pet'::real[])::text)
       #> '{results,0,memory}' as found;
select pg_temp.json('POST', '/v4/profile', jsonb_build_object('q', 'qqq', 'containerTag', 'vec', 'threshold', 0, 'embedding', :'pet'::real[])::text)
       #> '{searchResults,results,0,memory}' as found;
select pg_temp.http('POST', '/v3/search', jsonb_build_object('q', 'qqq', 'containerTag', 'vec', 'embedding', :'pet'::real[])::text) is not null as accepted;
select pg_temp.http('POST', '/v4/search', '{"q": "qqq", "containerTag": "vec", "embedding": "near"}');
select pg_temp.http('POST', '/v4/search', '{"q": "qqq", "containerTag": "vec", "embedding": [1, "2"]}');
select pg_temp.http('POST', '/v4/search', '{"q": "qqq", "containerTag": "vec", "embedding": [1, 1e99]}');
select pg_temp.http('POST', '/v4/search', '{"q": "qqq", "containerTag": "vec", "embedding": [1, 2]}');

-- the model in use, and what a remote one brings, unpacked
select model, dimension, remote, waiting, asking, refused, failures, paused_until, error from embeddings_status();
select place, round(vector_norm(embedding::vector)::numeric, 3) as norm, octet_length(code) as code
from _unpack_embeddings('\x0000803f00000000000000000000803f'::bytea, 2);
select project_configure('{"summary_interval": -1}') -> 'summary_interval' as no_summaries;
select project_configure('{"summary_interval": -2}');
select project_drop('search_vectors') is not null as dropped;
