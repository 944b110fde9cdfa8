-- Tables that VACUUM has found empty are filled as fast as others: nothing is looked for by reading a table from end to end.
create database plans;
\c plans
create extension memory_profile;
vacuum;
set search_path = memory_profile, public;
load 'memory_profile';
set memory_profile.embedding_model = '';
-- The name of a subject is checked even where nothing is read.
set plan_cache_mode = force_generic_plan;
set enable_indexscan = off;
set enable_bitmapscan = off;
select subject_exists(' ');
select * from jobs(' ');
select job_retry(' ', gen_random_uuid());
select memory_forget(' ', 'mem_1');
reset plan_cache_mode;
reset enable_indexscan;
reset enable_bitmapscan;
select count(*) from memories_add('a', (select jsonb_agg(jsonb_build_object('content', 'Fact ' || i || ' is about ' || md5(i::text))) from generate_series(1, 300) i));
select count(memory_add('b' || i % 5, 'Single fact ' || i || ' is about ' || md5(i::text))) from generate_series(1, 200) i;
select count(learn('c' || i % 50, 'I have been to the village number ' || i || '.')) from generate_series(1, 200) i;
call run_jobs();
select pg_stat_force_next_flush();
-- A few such reads, of one row after the other, are the writers' first.
select relname, seq_tup_read from pg_stat_user_tables
where relname in ('memory', 'memory_signature', 'memory_relation', 'decision', 'event', 'job', 'job_answer', 'document') and seq_tup_read > 5000
order by relname;
-- A table that is analyzed while a transaction fills it has pages, but no rows that anybody sees: what is known is found by the
-- right index all the same.
create database filled;
\c filled
create extension memory_profile;
analyze;
set search_path = memory_profile, public;
load 'memory_profile';
set memory_profile.embedding_model = '';
begin;
select count(*) from memories_add('a', (select jsonb_agg(jsonb_build_object('content', 'Fact ' || i || ' is of ' || md5(i::text))) from generate_series(1, 12000) i));
\! psql --no-psqlrc --quiet --dbname=filled --command='analyze memory_profile.memory'
select count(*) from memories_add('a', (select jsonb_agg(jsonb_build_object('content', 'Statement ' || i || ' is of ' || md5(i::text))) from generate_series(1, 300) i));
select count(memory_add('a', 'Single fact ' || i || ' is of ' || md5(i::text))) from generate_series(1, 30) i;
commit;
select pg_stat_force_next_flush();
select indexrelname, idx_tup_read from pg_stat_user_indexes where relname = 'memory' and idx_tup_read > 100000 order by 1;
\c regress
drop database plans;
drop database filled;
