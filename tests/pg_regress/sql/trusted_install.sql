-- A trusted extension: the owner of a database, no superuser, installs it and has all of it.
\set SHOW_CONTEXT never
create role tenant login createrole;
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
-- and so are those who may use it, in SQL and over HTTP
create role trusted_app login;
create role trusted_http login;
grant memory_profile_user to trusted_app;
grant memory_profile_http to trusted_http;
select project_bind('default', 'trusted_app');
select r.rolname as member, pg_has_role(r.rolname, 'memory_profile_user', 'usage') as uses, pg_has_role(r.rolname, 'memory_profile_http', 'usage') as serves
from pg_roles r where r.rolname in ('tenant', 'trusted_app', 'trusted_http') order by r.rolname;
\c trusted trusted_app
select memory from memory_profile.memory_list('u') where memory ~ 'trains';
\c trusted tenant
set search_path = memory_profile;
revoke memory_profile_user from trusted_app;
revoke memory_profile_http from trusted_http;
select project_unbind('default', 'trusted_app');
drop role trusted_app, trusted_http;
-- but not the session's project by hand, nor a file of his choice
set memory_profile.project = '00000000-0000-4000-8000-000000000001';
set memory_profile.model_directory = '/etc';
select profile_erase('u') -> 'erased' as erased;
-- nor functions where those look that run with their owner's rights: one that fits better would be called with them
select pg_get_userbyid(nspowner) = 'tenant' as his from pg_namespace where nspname = 'memory_profile';
create function memory_profile.format(text, name, text) returns text language sql as 'select current_user::text';
do $$ begin perform use_project('p3'); exception when insufficient_privilege then raise notice '%', sqlerrm; end $$;
drop extension memory_profile;

-- the same where he has made the schema himself, before
reset search_path;
\c trusted postgres
drop schema memory_profile;
create role guest;
\c trusted tenant
create schema memory_profile;
grant create on schema memory_profile to public;
grant create on schema memory_profile to guest;
create function memory_profile.format(text, name, text) returns text language sql as 'select current_user::text';
create extension memory_profile;
drop function memory_profile.format(text, name, text);
create extension memory_profile;
create table memory_profile.mine ();
select r as role from unnest('{tenant,guest,memory_profile_user,public}'::text[]) r where has_schema_privilege(r, 'memory_profile', 'create');
select memory_profile.memory_add('u', 'Una likes trains') is not null as added;

-- another owner gets what the former one had, from a superuser
\c trusted postgres
create role successor login;
reassign owned by tenant to successor;
drop owned by tenant;
set client_min_messages = warning;
select memory_profile._grant_owner();
\c trusted successor
select memory from memory_profile.memory_list('u');
select memory_profile.project_create('p4') is not null as created;
\c trusted tenant
select memory_profile.project_create('p5');
select memory_profile.memory_list('u');
\c trusted successor
drop extension memory_profile;
