-- The order of the queue is that of all projects: no role of one of them has a say in it.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
create role turn_a login; create role turn_b login;
grant memory_profile_user to turn_a, turn_b;
select project_create('turn_a') is not null as a, project_create('turn_b') is not null as b;
select project_bind('turn_a', 'turn_a'), project_bind('turn_b', 'turn_b');
select last_value as turn from job_turn \gset

\c - turn_a
set search_path = memory_profile, public;
\set VERBOSITY terse
select count(learn('a', 'I like number ' || i || '.')) from generate_series(1, 3) i;
-- the turn of the queue is nobody's to set
select setval('job_turn', 1000000000);
select nextval('job_turn');
select _job_turn();
-- nor that of a job
insert into job (subject_key, project_id, kind, payload, turn) select subject_key, project_id, 'learn', 'I live in Rome.', -5 from subject where external_id = 'a';
update job set turn = -5;
update job set turn = 1000000000;
select last_value - :turn as turn from job_turn;
select turn - :turn as turn, count(*) from job where subject_key = subject_key('a') group by 1 order by 1;
-- whose turn it is moves on with the jobs that are run
select count(*) from _job_turn_advance();
select last_value - :turn as turn from job_turn;
call run_jobs(2);
select status, count(*) from jobs('a') group by 1 order by 1;
select last_value - :turn <= 3 as turn from job_turn;
\set VERBOSITY default

-- others get the turn that it is
\c - turn_b
set search_path = memory_profile, public;
select learn('b', 'I live in Rome.') is not null as queued;
select j.turn = t.last_value as present from job j, job_turn t where j.subject_key = subject_key('b');
-- a job may bring along what it had, as in a dump, where its owner restores it
\c - postgres
set search_path = memory_profile, public;
insert into job (subject_key, project_id, kind, payload, turn) select subject_key, project_id, 'learn', 'I live in Bonn.', 7 from subject where external_id = 'b';
select turn from job where payload = 'I live in Bonn.';
select project_drop('turn_a') is not null as a, project_drop('turn_b') is not null as b;
drop role turn_a, turn_b;
