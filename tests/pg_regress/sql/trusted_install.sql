-- A trusted extension: the owner of a database, no superuser, installs it and has all of it.
\set SHOW_CONTEXT never
create role tenant login;
create database trusted owner tenant;
\c trusted tenant
select current_setting('is_superuser') as superuser;
create extension memory_profile;
set search_path = memory_profile;
select profile_patch('u', '[{"field_key": "name", "value": "Una"}]');
select memory_add('u', 'Una likes trains') is not null as added;
select memory from memory_search('u', 'trains', 0, max_results => 1);
select learn('u', 'I live in Rome.') is not null as queued;
call run_jobs();
select status, error from jobs('u');
select profile_get('u');
-- projects, keys and settings are the owner's to manage
select project_create('p2') is not null as created;
select api_key_create('p2') ~ '^mp_[0-9a-f]{64}$' as key;
select use_project('p2');
select profile_get('u');
select project_configure('{"profile_limit": 10}') -> 'profile_limit' as setting;
select use_project('default');
select profile_get('u') -> 'name' as name;
select project_drop('p2');
-- but not the session's project by hand, nor a file of his choice
set memory_profile.project = '00000000-0000-4000-8000-000000000001';
set memory_profile.model_directory = '/etc';
select profile_erase('u') -> 'erased' as erased;
drop extension memory_profile;
