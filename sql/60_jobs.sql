-- Jobs: what is learned after commit. A job row is written in the transaction that caused it, so it exists exactly if
-- that transaction committed. Whoever runs it, the background worker or CALL run_jobs() from any client, the rules are
-- the same: one subject's jobs run in their order, several subjects' side by side, a failure is recorded and tried again
-- with growing pauses, and after max_attempts the job is left as failed for a person to see.

create table job (
  subject_key uuid not null,
  id uuid not null default gen_random_uuid(),
  project_id uuid not null,
  sequence bigint generated always as identity,
  kind text not null check (kind in ('learn', 'document', 'embed')),
  input_type text,
  document_id text collate "C",
  payload text,
  payload_sha256 bytea,
  payload_bytes integer,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed')),
  waits boolean not null default false,
  attempts integer not null default 0,
  max_attempts integer not null default 5,
  error text,
  result jsonb,
  run_after timestamptz not null default now(),
  locked_until timestamptz,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
create index job_open on job (run_after, sequence) where status in ('queued', 'running') and not waits;
create index job_waiting on job (run_after, sequence) where status = 'queued' and waits;
create index job_open_of_subject on job (subject_key, sequence) where status in ('queued', 'running');
comment on table job is 'Work to do after commit, and what became of it';
comment on column job.payload is 'The raw input; deleted when the job is done, only its length and checksum stay';
comment on column job.waits is 'Whether a language model has still to read its text';
select _isolate('job');

create function _job_enqueue(key uuid, job_kind text, payload text, input_type text default null, document_id text default null) returns uuid
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  insert into job (subject_key, project_id, kind, input_type, document_id, payload, payload_sha256, payload_bytes)
  values (key, _project(), job_kind, _job_enqueue.input_type, _job_enqueue.document_id, _job_enqueue.payload,
          sha256(convert_to(_job_enqueue.payload, 'UTF8')), octet_length(_job_enqueue.payload))
  returning id
$$;

create function learn(subject text, data text, input_type text default null) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return _job_enqueue(_subject_for_write(subject), 'learn', _check_text(data), learn.input_type);
end
$$;
comment on function learn(text, text, text) is
  'Accepts text, JSON, Markdown, a chat or a log about a subject, for profile fields and memories to be drawn from after commit; '
  'returns the job''s id. The raw data is deleted once it is processed';

-- Claims the job that has been due the longest, is not being run, and has no earlier open job of the same subject before
-- it; embedding, which nothing depends on, holds nobody up. A job that its worker did not live to finish is run again
-- until its attempts are used up.
create function _job_claim(out key uuid, out job_id uuid)
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  with dead as (
    update job
    set status = 'failed', error = 'the worker ended before the job did', finished_at = clock_timestamp(), locked_until = null
    where status = 'running' and locked_until < clock_timestamp() and attempts >= max_attempts
    returning subject_key, document_id, error
  )
  update document d
  set status = 'failed', error = dead.error
  from dead
  where d.subject_key = dead.subject_key and d.id = dead.document_id;

  update job
  set status = 'running', attempts = attempts + 1, started_at = clock_timestamp(),
      locked_until = clock_timestamp() + interval '10 minutes'
  where (subject_key, id) = (
    select j.subject_key, j.id
    from job j
    where (j.status = 'queued' or (j.status = 'running' and j.locked_until < clock_timestamp()))
      and not j.waits and j.run_after <= clock_timestamp()
      and not exists (select from job earlier
                      where earlier.subject_key = j.subject_key and earlier.sequence < j.sequence
                        and earlier.status in ('queued', 'running') and earlier.kind <> 'embed')
    order by j.run_after, j.sequence
    limit 1
    for update skip locked
  )
  returning subject_key, id
$$;

-- Texts that one run of an embed job gives vectors to, under half a second of work: as long as it holds the subject's
-- lock, other writers of the subject wait.
create function _embed_batch() returns integer
language sql immutable parallel safe
as $$
  select 64
$$;

-- Runs a claimed job in a subtransaction and records what became of it. An embed job that is not through goes back to
-- the queue.
create function _job_run(key uuid, claimed uuid) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
  outcome jsonb;
  message text;
  detail text;
begin
  -- The subject before the job, as every writer and the erasure take them: the other way round they could deadlock.
  perform from subject s where s.subject_key = key for update;
  select * into this from job j where j.subject_key = key and j.id = claimed and j.status = 'running' for update;
  if not found then
    return 'gone';
  end if;
  if current_project() is distinct from this.project_id then
    perform set_config('memory_profile.project', this.project_id::text, true);
  end if;
  begin
    outcome := case this.kind
      when 'learn' then _learn(key, this.payload, this.input_type, this.id)
      when 'document' then _document_process(key, this.document_id, this.id)
      when 'embed' then _embed_some(key, this.result)
    end;
    this.status := case when this.kind = 'embed' and (outcome ->> 'more')::boolean then 'queued' else 'done' end;
    update job j
    set status = this.status, result = outcome - 'more', error = null, payload = null, locked_until = null,
        attempts = case this.status when 'queued' then 0 else j.attempts end, run_after = clock_timestamp(),
        finished_at = case this.status when 'done' then clock_timestamp() end
    where j.subject_key = key and j.id = claimed;
    return this.status;
  exception when others then
    get stacked diagnostics message = message_text, detail = pg_exception_detail;
    update job j
    set status = case when j.attempts >= j.max_attempts then 'failed' else 'queued' end,
        error = concat_ws(': ', message, nullif(detail, '')),
        run_after = clock_timestamp() + least(power(2, j.attempts), 3600) * (0.75 + random() / 2) * interval '1 second',
        finished_at = case when j.attempts >= j.max_attempts then clock_timestamp() end,
        locked_until = null
    where j.subject_key = key and j.id = claimed
    returning j.status into this.status;
    if this.kind = 'document' then
      update document d set status = case this.status when 'failed' then 'failed' else 'queued' end, error = message
      where d.subject_key = key and d.id = this.document_id;
    end if;
    return this.status;
  end;
end
$$;

-- Commits after each step, hence no SET clause and every name in full.
create procedure run_jobs(max_jobs integer default null)
language plpgsql
as $$
declare
  claimed record;
  run integer := 0;
begin
  perform memory_profile._ask_nobody();
  commit;
  if memory_profile._may_ask() then
    call memory_profile._ask_models();
  end if;
  while max_jobs is null or run < max_jobs loop
    select * into claimed from memory_profile._job_claim();
    exit when claimed.job_id is null;
    commit;
    perform memory_profile._job_run(claimed.key, claimed.job_id);
    commit;
    run := run + 1;
  end loop;
end
$$;
comment on procedure run_jobs(integer) is
  'Runs due jobs, at most max_jobs, each in a transaction of its own: for pg_cron or any client where the background worker is not preloaded';

create function jobs(subject text default null)
returns table (id uuid, external_id text, kind text, status text, attempts integer, error text, result jsonb,
               created_at timestamptz, run_after timestamptz, finished_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return query
  select j.id, s.external_id, j.kind, j.status, j.attempts, j.error, j.result, j.created_at, j.run_after, j.finished_at
  from job j join subject s on s.subject_key = j.subject_key
  where j.project_id = _project() and (jobs.subject is null or j.subject_key = subject_key(jobs.subject))
  order by j.sequence;
end
$$;
comment on function jobs(text) is 'The jobs of a subject, or of the whole project, with status, attempts, error and result';

create function job_retry(subject text, id uuid) returns boolean
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  update job j set status = 'queued', attempts = 0, run_after = now(), finished_at = null
  where j.subject_key = subject_key(subject) and j.id = job_retry.id and j.status = 'failed';
  return found;
end
$$;
comment on function job_retry(text, uuid) is 'Queues a failed job again; false when there is no such failed job';

create function embeddings_refresh() returns bigint
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model smallint := _embedding_model_id();
  queued bigint;
begin
  if model is null then
    raise object_not_in_prerequisite_state using
      message = 'no embedding model is installed',
      hint = 'Install a packed model and set memory_profile.embedding_model.';
  end if;
  select count(_job_enqueue(s.subject_key, 'embed', null)) into queued
  from subject s
  where s.project_id = _project()
    and (exists (select from memory m
                 where m.subject_key = s.subject_key and m.superseded_at is null
                   and not exists (select from memory_embedding e
                                   where e.subject_key = m.subject_key and e.model_id = model and e.memory_id = m.id))
         or exists (select from chunk c
                    where c.subject_key = s.subject_key
                      and not exists (select from chunk_embedding e where e.subject_key = c.subject_key and e.model_id = model
                                      and e.chunk_id = c.id))
         or exists (select from memory_signature g where g.subject_key = s.subject_key and _signatures_lack(g.signatures, model))
         or exists (select from chunk_signature g where g.subject_key = s.subject_key and _signatures_lack(g.signatures, model)));
  return queued;
end
$$;
comment on function embeddings_refresh() is
  'Queues a job for every subject of the project with texts that have no vector of the current embedding model, and returns how many: after a change of model';

-- Learning ---------------------------------------------------------------------------------------------------------------

-- Applies what was found in a text, by the same rules as every other writer.
create function _apply_extraction(
  key uuid, extraction jsonb, job uuid, source text, source_document text default null, conversation text default null
) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  item jsonb;
  spec jsonb;
  written record;
  remembered memory;
  inline boolean := jsonb_array_length(extraction -> 'memories') <= (project_setting('inline_embedding_limit') #>> '{}')::integer;
  fields_written text[] := '{}';
  fields_rejected text[] := '{}';
  memory_ids text[] := '{}';
begin
  if profile_schema_get() ->> 'extraction_mode' = 'auto' then
    for item in select value from jsonb_array_elements(extraction -> 'fields') loop
      spec := _profile_field_spec(item ->> 'key');
      if spec is not null then
        select * into written from _profile_field_write(
          key, spec, item ->> 'key', item -> 'value', _clamp_chat((item ->> 'confidence')::double precision), 'chat', job);
        if written.reason is null then
          fields_written := fields_written || (item ->> 'key');
        else
          fields_rejected := fields_rejected || (item ->> 'key');
        end if;
      end if;
    end loop;
  end if;
  for item in select value from jsonb_array_elements(extraction -> 'memories') loop
    remembered := _memory_write(key, item || jsonb_build_object(
      'source_type', source, 'job_id', job, 'conversation_id', coalesce(item ->> 'conversation_id', conversation)), inline);
    memory_ids := memory_ids || remembered.id;
    if source_document is not null then
      insert into memory_source (subject_key, memory_id, document_id, project_id)
      values (key, remembered.id, source_document, remembered.project_id)
      on conflict do nothing;
    end if;
  end loop;
  if not inline then
    perform _job_enqueue(key, 'embed', null);
  end if;
  if fields_written <> '{}' then
    perform _emit(key, 'profile.updated', jsonb_build_object(
      'subject_id', (select external_id from subject where subject_key = key),
      'fields', profile_get((select external_id from subject where subject_key = key)), 'updated_at', _iso(now())));
  end if;
  return jsonb_build_object('fields', fields_written, 'rejected', fields_rejected, 'memories', memory_ids,
                            'notes', coalesce(extraction -> 'notes', '[]'))
    || jsonb_strip_nulls(jsonb_build_object('model', extraction -> 'model', 'tokens', extraction -> 'tokens'));
end
$$;

create function _subject_name(key uuid) returns text
language sql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select field_value #>> '{}' from memory
  where subject_key = key and field_key = 'name' and superseded_at is null and forgotten_at is null
$$;

-- Gives vectors to a batch of texts; counts go on from the run before, and more says whether there are others left.
create function _embed_some(key uuid, earlier jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
  memories integer := _embed_memories(key, _embed_batch());
  chunks integer := _embed_chunks(key, _embed_batch() - memories);
begin
  -- The codes of a model of another dimension do not fit where the former ones are.
  if memories + chunks < _embed_batch() then
    if exists (select from memory_signature s where s.subject_key = key and _signatures_lack(s.signatures, model)) then
      perform _memories_sign(key, model);
    end if;
    perform _document_sign(d, model)
    from document d
    where d.subject_key = key
      and exists (select from chunk_signature s
                  where s.subject_key = key and s.document_id = d.id and _signatures_lack(s.signatures, model));
  end if;
  return jsonb_build_object(
    'memories', memories + coalesce((earlier ->> 'memories')::integer, 0),
    'chunks', chunks + coalesce((earlier ->> 'chunks')::integer, 0),
    'more', memories + chunks >= _embed_batch());
end
$$;

create function _learn(key uuid, data text, input_type text, job uuid) returns jsonb
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  select _apply_extraction(key, _extraction(key, job, data, input_type, now()), job, 'chat')
$$;

create function _document_process(key uuid, source_id text, job uuid) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  source document;
  outcome jsonb;
  at_once integer := (project_setting('inline_embedding_limit') #>> '{}')::integer;
begin
  select * into source from document d where d.subject_key = key and d.id = source_id for update;
  if not found then
    return jsonb_build_object('notes', jsonb_build_array('the document was deleted before it was processed'));
  end if;
  outcome := jsonb_build_object('chunks', _document_chunk(key, source));
  if _embed_chunks(key, at_once) >= at_once then
    perform _job_enqueue(key, 'embed', null);
  end if;
  if source.task_type = 'memory' then
    outcome := outcome || _apply_extraction(key,
      _extraction(key, job, source.content, source.type, coalesce(source.document_date, source.created_at)),
      job, 'document', source.id, case source.type when 'conversation' then source.custom_id end);
    perform _forget_unsupported(key, source.id,
      array(select jsonb_array_elements_text(outcome -> 'memories')), job, 'source document changed');
  end if;
  update document d
  set status = 'done', error = null, updated_at = now(),
      title = coalesce(d.title, _document_title(d.content)), summary = _document_summary(d.content)
  where d.subject_key = key and d.id = source.id;
  return outcome;
end
$$;
