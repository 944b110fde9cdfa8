-- Who may call what, and what a dump holds.

-- Ordinary users of the product: everything of their own project, which row security decides.
grant usage on schema memory_profile to public;
grant select on project, embedding_model, model_endpoint to memory_profile_user;
grant update (settings) on project to memory_profile_user;
grant select, insert, update, delete on
  subject, event, notification, memory, memory_relation, decision, memory_embedding, memory_signature, memory_digest,
  memory_digest_codes, memory_digest_words, memory_source, profile_schema,
  document, chunk, chunk_embedding, chunk_signature, embedding_refusal, message, job_answer, model_summary, webhook_delivery
  to memory_profile_user;
-- Whose turn it is among all projects is for nobody to choose: turns are inserted and moved on by the queue itself.
grant select, update, delete, insert (subject_key, id, project_id, kind, input_type, document_id, payload, payload_sha256, payload_bytes, status,
  attempts, error, result, created_at, started_at, finished_at) on job to memory_profile_user;
grant select on sequence job_turn to memory_profile_user;
-- The secret of a webhook can be written, never read.
grant insert, delete, select (id, project_id, url, events, is_active, failures, paused_until, created_at),
  update (is_active, failures, paused_until) on webhook to memory_profile_user;

-- Administration and what runs with the rights of the extension's owner.
revoke execute on function
  project_create(text, jsonb), project_bind(text, name, boolean), project_unbind(text, name), project_drop(text),
  api_key_create(text, text, text[], text[], timestamptz), api_key_revoke(text), embedding_model_verify(text),
  _isolate(regclass), _authenticate(text), _embedding_model_id(), _webhook_claim(integer, integer),
  _webhook_record(uuid, bigint, uuid, integer, double precision, text)
  from public;
-- Who may have models called: who can set where they are.
revoke execute on procedure _ask_models() from public;
grant execute on function _embedding_model_id() to memory_profile_user;
grant execute on function _authenticate(text) to memory_profile_http;
comment on function embedding_model_verify(text) is 'Reads a packed model in full and compares it with its checksum; an error when it is damaged or missing';

-- Whoever created the extension uses and administrates it, also where a trusted install made it without superuser rights. Once
-- more when it has passed to another owner, whom REASSIGN OWNED gives none of this: then a superuser calls it.
--
-- To let others use it is part of that. Before PostgreSQL 16 whoever may create roles may hand out any membership, and ADMIN
-- OPTION would be the right to take back what other databases' owners have given; from 16 on it is needed, and takes back only
-- the own. The role for HTTP is his to give, and of no use to himself.
create function _grant_owner() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  owner constant name := (select r.rolname from pg_extension e join pg_roles r on r.oid = e.extowner where e.extname = 'memory_profile');
begin
  if current_setting('server_version_num')::integer >= 160000 and not (select r.rolsuper from pg_roles r where r.rolname = owner) then
    execute format('grant memory_profile_user to %I with admin true, inherit true, set false', owner);
    execute format('grant memory_profile_http to %I with admin true, inherit false, set false', owner);
  else
    execute format('grant memory_profile_user to %I', owner);
  end if;
  execute format('grant select, insert, update, delete on project, project_role, api_key, model_endpoint to %I', owner);
  execute format('grant update (scoring) on embedding_model to %I', owner);
  execute format(
    'grant execute on function project_create(text, jsonb), project_bind(text, name, boolean), project_unbind(text, name), project_drop(text),'
    ' api_key_create(text, text, text[], text[], timestamptz), api_key_revoke(text), embedding_model_verify(text) to %I', owner);
  execute format('grant execute on procedure _ask_models() to %I', owner);
end
$$;
revoke execute on function _grant_owner() from public;
select _grant_owner();

grant usage on schema memory_profile_http to memory_profile_http;
revoke execute on all functions in schema memory_profile_http from public;
grant execute on all functions in schema memory_profile_http to memory_profile_http;

-- A dump holds every row: without this, pg_dump leaves the rows of an extension's tables out. Notes of what is still to be told
-- are of no use elsewhere.
do $$
declare
  relation regclass;
begin
  for relation in
    select oid from pg_class where relnamespace = 'memory_profile'::regnamespace and relkind in ('r', 'S') and relpersistence = 'p' order by oid
  loop
    perform pg_extension_config_dump(relation, '');
  end loop;
end
$$;

notify pgrst, 'reload schema';
