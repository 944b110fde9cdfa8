-- Isolation: without a project nothing is visible, with one only its own rows are, and nobody may pick one at will.
\set SHOW_CONTEXT never
set search_path = memory_profile, public;
create role iso_a login; create role iso_b login; create role iso_none login; create role iso_stranger login;
grant memory_profile_user to iso_a, iso_b, iso_none;
select project_create('iso_a') is not null as a, project_create('iso_b') is not null as b;
select project_bind('iso_a', 'iso_a'), project_bind('iso_b', 'iso_b');

\c - iso_a
set search_path = memory_profile, public;
select memory_add('shared-id', 'A keeps bees') is not null as added;
select profile_patch('shared-id', '[{"field_key": "name", "value": "Anna"}]');
select document_add('shared-id', 'A document about bees', 'doc-1') ~ '^doc_' as added;
select learn('shared-id', 'My name is Anna') is not null as queued;
\c - iso_b
set search_path = memory_profile, public;
select memory_add('shared-id', 'B keeps bees too') is not null as added;
select profile_patch('shared-id', '[{"field_key": "name", "value": "Berta"}]');

-- row security does not keep a writer from the index by which an exact text is found
set enable_seqscan = off;
do $$
declare
  plan jsonb;
begin
  execute $q$explain (format json) select from memory
    where subject_key = subject_key('shared-id') and (superseded_at is null) is true
      and _checksum(content) collate "C" = md5('B keeps bees too') and content = 'B keeps bees too'$q$ into plan;
  raise info '%', jsonb_path_query_array(plan, '$.**."Index Name"');
end
$$;
reset enable_seqscan;

-- each sees its own
select memory from memory_list('shared-id') order by memory;
select profile_get('shared-id');
select distinct memory from memory_search(null, 'bees', 0) order by memory;
select distinct memory from memory_search('shared-id', 'bees', 0) order by memory;
select count(*) from memory_search(null, 'document about bees', 0, search_mode => 'documents');
select jsonb_array_length(profile_export('shared-id') -> 'memories') as memories;
select count(*) from jobs();
\c - iso_a
set search_path = memory_profile, public;
select profile_get('shared-id');
select distinct memory from memory_search(null, 'bees', 0) order by memory;
select distinct project_id = current_project() as own from memory;

-- a row of another project can be neither made nor reached
\set VERBOSITY terse
insert into memory (subject_key, id, project_id, content, root_id)
select subject_key, 'mem_x', (select id from project where name = 'default'), 'planted', 'mem_x' from subject limit 1;
insert into subject (subject_key, project_id, external_id) values (gen_random_uuid(), gen_random_uuid(), 'planted');
update memory set project_id = '00000000-0000-4000-8000-000000000001';
select count(*) from project;
select count(*) from api_key;
select count(*) from project_role;

-- nor may the project be chosen freely
set memory_profile.project = '00000000-0000-4000-8000-000000000001';
set memory_profile.subjects = '';
select set_config('memory_profile.project', '00000000-0000-4000-8000-000000000001', true);
select use_project('iso_b');
select use_project('nonesuch');
select project_create('mine');
select project_bind('iso_b', 'iso_a');
select api_key_create('iso_a');
select _authenticate('mp_guess');
\set VERBOSITY default

-- without a project nothing shows, and the functions say why
\c - iso_none
set search_path = memory_profile, public;
select count(*) from memory;
select count(*) from subject;
select profile_get('shared-id');
\set VERBOSITY terse
select memory_add('shared-id', 'x');
select memory_search(null, 'bees');
select profile_export('shared-id');
\c - iso_stranger
set search_path = memory_profile, public;
select count(*) from memory;
select profile_get('shared-id');

-- a placeholder that was set before the library was loaded does not survive the loading
\c - iso_none
set memory_profile.project = '00000000-0000-4000-8000-000000000001';
select memory_profile.current_project();
select count(*) from memory_profile.memory;
\c - iso_a
set memory_profile.project = '00000000-0000-4000-8000-000000000001';
select count(*) from memory_profile.memory where project_id = '00000000-0000-4000-8000-000000000001';
select memory_profile.profile_get('shared-id');
select memory_profile.use_project('iso_a');
select memory_profile.profile_get('shared-id');
