-- Jobs: what is learned after commit. A job row is written in the transaction that caused it, so it exists exactly if
-- that transaction committed. Whoever runs it, the background worker or CALL run_jobs() from any client, the rules are
-- the same: one subject's jobs run in their order, several subjects' side by side and in turn, a failure is recorded and
-- tried again with growing pauses, and after max_attempts the job is left as failed for a person to see.
--
-- A job is claimed in one transaction, its text is read in the next, without any lock, and it is run in a third. Much work is
-- cut into runs of some tens of milliseconds, each a transaction: between them the subject's lock is free for other
-- writers, and other subjects have their turn. A background worker claims some small jobs of several subjects at once, reads
-- them all, has all of what they say encoded, and then runs one after the other: the encoder leaves nothing else in the
-- processor's caches, and so does this only once for all of them.
--
-- Whoever runs jobs holds an advisory lock of its session as long as it lives. A job whose claimant's lock is free was
-- left behind by a process that died, and is run again at once; what that process had not committed never happened.

create table job (
  subject_key uuid not null,
  id uuid not null default gen_random_uuid(),
  project_id uuid not null,
  sequence bigint generated always as identity,
  kind text not null check (kind in ('learn', 'document', 'embed', 'summary')),
  input_type text,
  document_id text collate "C",
  payload text,
  payload_sha256 bytea,
  payload_bytes integer,
  extraction jsonb,
  applied integer not null default 0,
  status text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed')),
  waits boolean not null default false,
  turn bigint not null default 0,
  attempts integer not null default 0,
  max_attempts integer not null default 5,
  deaths integer not null default 0,
  error text,
  result jsonb,
  run_after timestamptz not null default now(),
  worker integer,
  locked_until timestamptz,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
create index job_open on job (turn, sequence) where status in ('queued', 'running') and not waits;
create index job_waiting on job ((kind = 'embed'), run_after, sequence) where status = 'queued' and waits;
create index job_open_of_subject on job (subject_key, sequence) where status in ('queued', 'running');
create index job_running on job (worker) where status = 'running';
comment on table job is 'Work to do after commit, and what became of it';
comment on column job.payload is 'The raw input; deleted when the job is done, only its length and checksum stay';
comment on column job.waits is 'Whether a model has still to be asked: the language model, or, for vectors, the remote embedding model';
comment on column job.extraction is 'What was read from the input and is still to be written, the first "applied" memories of which are; deleted when the job is done';
comment on column job.turn is 'Its place in the fair order of all subjects'' jobs';
comment on column job.worker is 'The process that claimed it last';
comment on column job.deaths is 'How many of those that claimed it did not live to finish it, or its latest part';
select _isolate('job');

-- The turn of the job that was claimed last. A subject's first job gets this turn and each further one the next, so that
-- the queue serves subjects in turn, however many jobs one of them has.
create sequence job_turn minvalue 0 start 0;

create function _job_enqueue(key uuid, job_kind text, payload text, input_type text default null, document_id text default null) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  new_id uuid;
begin
  insert into job (subject_key, project_id, kind, input_type, document_id, payload, payload_sha256, payload_bytes, turn)
  values (key, _project(), job_kind, _job_enqueue.input_type, _job_enqueue.document_id, _job_enqueue.payload,
          sha256(convert_to(_job_enqueue.payload, 'UTF8')), octet_length(_job_enqueue.payload),
          greatest((select last_value from job_turn),
                   (select j.turn + 1 from job j where j.subject_key = key and j.status in ('queued', 'running') and j.kind not in ('embed', 'summary')
                    order by j.sequence desc limit 1)))
  returning id into new_id;
  return new_id;
end
$$;

-- Sees to it that the texts of a subject without a vector get one. An open job will see them: it waits for the subject's
-- lock, which the caller holds.
create function _embed_later(key uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if not exists (select from job j where j.subject_key = key and j.status in ('queued', 'running') and j.kind = 'embed') then
    perform _job_enqueue(key, 'embed', null);
  end if;
end
$$;

create function learn(subject text, data text, input_type text default null) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  data := _check_text(data);
  return _job_enqueue(_subject_for_write(subject), 'learn', _check_text(coalesce(_page_text(data), data)), learn.input_type);
end
$$;
comment on function learn(text, text, text) is
  'Accepts text, JSON, Markdown, a chat or a log about a subject, for profile fields and memories to be drawn from after commit; '
  'returns the job''s id. The raw data is deleted once it is processed';

-- Who runs jobs ------------------------------------------------------------------------------------------------------------

-- The class of the advisory locks by which those who run jobs show that they live; the other half is the process id.
create function _job_lock_class() returns integer
language sql immutable parallel safe
as $$
  select 1349331050
$$;

-- Begins to run jobs in this session: before the first _job_claim().
create function _job_worker_begin() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform pg_advisory_lock(_job_lock_class(), pg_backend_pid());
  -- Left by a process of the same number, or by this session when it was interrupted.
  perform _job_abandon(j.subject_key, j.id) from job j where j.status = 'running' and j.worker = pg_backend_pid();
end
$$;

create function _job_worker_end() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform pg_advisory_unlock(_job_lock_class(), pg_backend_pid());
end
$$;

-- How often a job may take its process down before it is believed to be the cause.
create function _job_max_deaths() returns integer
language sql immutable parallel safe
as $$
  select 10
$$;

-- Puts a job back whose process did not live to finish it. That is no failure of the job, unless it happens often: from
-- the second time on it waits, and in the end it has failed. Never waits for a lock: what is locked is seen to next time.
create function _job_abandon(key uuid, abandoned uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
begin
  perform from subject s where s.subject_key = key for update skip locked;
  if not found then
    return;
  end if;
  select * into this from job j where j.subject_key = key and j.id = abandoned and j.status = 'running' for update skip locked;
  if not found then
    return;
  end if;
  this.deaths := this.deaths + 1;
  this.status := case when this.deaths >= _job_max_deaths() then 'failed' else 'queued' end;
  update job j
  set status = this.status, deaths = this.deaths, attempts = greatest(j.attempts - 1, 0), worker = null, locked_until = null,
      error = 'the worker ended before the job did',
      finished_at = case this.status when 'failed' then clock_timestamp() end,
      run_after = clock_timestamp() + case when this.deaths > 1 then power(2, this.deaths - 1) else 0 end * interval '1 second'
  where j.subject_key = key and j.id = abandoned;
  perform _job_document_status(this, case this.status when 'failed' then 'failed' else 'queued' end, 'the worker ended before the job did');
end
$$;

-- What becomes of a job becomes of its document; of an embed job, of every document that waits for its vectors.
create function _job_document_status(this job, new_status text, new_error text) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if this.kind = 'document' then
    update document d set status = new_status, error = new_error where d.subject_key = this.subject_key and d.id = this.document_id;
  elsif this.kind = 'embed' and new_status = 'failed' then
    update document d set status = new_status, error = new_error where d.subject_key = this.subject_key and d.status = 'embedding';
  end if;
end
$$;

-- Bytes of text, at most, of jobs of which several may be claimed at once: about as much as a person writes in a chat.
create function _claim_bytes() returns integer
language sql immutable parallel safe
as $$
  select 1024
$$;

-- Claims the jobs whose turn it is: due, not being run, and with no earlier open job of the same subject before them.
-- Vectors and summaries, which nothing depends on, hold nobody up, and nobody holds them up. Here too nothing waits for a lock.
-- What takes long is claimed by itself, so that nobody waits for it; and so is what has taken its process down before, so
-- that no other job is suspected with it again.
create function _job_claim(max_jobs integer default 1) returns table (key uuid, job_id uuid)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
  by_itself boolean;
  latest bigint;
begin
  perform _job_abandon(j.subject_key, j.id)
  from job j
  where j.status = 'running' and j.worker is distinct from pg_backend_pid()
    and (j.worker is null or j.locked_until < clock_timestamp()
         -- To be had only when its holder is gone.
         or pg_try_advisory_xact_lock_shared(_job_lock_class(), j.worker));

  for this in
    select j.*
    from job j
    where j.status = 'queued' and not j.waits and j.run_after <= clock_timestamp()
      and (j.kind in ('embed', 'summary') or not exists (
        select from job earlier
        where earlier.subject_key = j.subject_key and earlier.sequence < j.sequence
          and earlier.status in ('queued', 'running') and earlier.kind not in ('embed', 'summary')))
    order by j.turn, j.sequence
    limit max_jobs
    for update skip locked
  loop
    by_itself := this.kind <> 'learn' or this.deaths > 0 or this.payload_bytes > _claim_bytes();
    exit when by_itself and job_id is not null;
    key := this.subject_key;
    job_id := this.id;
    latest := greatest(latest, this.turn);
    update job j
    set status = 'running', attempts = j.attempts + 1, started_at = clock_timestamp(), worker = pg_backend_pid(),
        locked_until = clock_timestamp() + interval '10 minutes'
    where j.subject_key = key and j.id = job_id;
    if this.kind = 'document' then
      update document d set status = 'extracting'
      where (d.subject_key, d.id) = (select o.subject_key, o.id from document o
                                     where o.subject_key = key and o.id = this.document_id and o.status = 'queued' for update skip locked);
    end if;
    return next;
    exit when by_itself;
  end loop;
  if latest > (select last_value from job_turn) then
    perform setval('job_turn', latest);
  end if;
end
$$;

-- Memories that one run of an embed job gives vectors to, under half a second of work: as long as it takes, the jobs of others
-- wait where one process runs them all. Writers of the subject do not: the texts are encoded before its lock is taken.
create function _embed_batch() returns integer
language sql immutable parallel safe
as $$
  select 64
$$;

-- The same for passages of documents, which are as long as several memories: a large document must not hold up small ones.
create function _embed_chunk_batch() returns integer
language sql immutable parallel safe
as $$
  select 16
$$;

-- Memories that one run of a job writes, some tens of milliseconds of work without their vectors: as long as it holds the
-- subject's lock, other writers of the subject wait.
create function _apply_batch() returns integer
language sql immutable parallel safe
as $$
  select 64
$$;

-- Works for the project of a job until the end of the transaction.
create function _job_in_project(project uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  -- Also where it is that of the role, which would be looked up again and again.
  if current_project() is distinct from project or _session_project() is null and current_setting('is_superuser') = 'on' then
    perform set_config('memory_profile.project', project::text, true);
  end if;
end
$$;

-- What is found in the texts of claimed jobs, before anything is locked; and their new statements are encoded, or the texts
-- that lack a vector, so that _job_run() need not do it under the subject's lock. What goes wrong here goes wrong there again,
-- and is recorded.
create function _job_read(keys uuid[], claimed uuid[]) returns table (key uuid, job_id uuid, found_in_text jsonb)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
  texts text[] := '{}';
begin
  for at in 1 .. cardinality(claimed) loop
    key := keys[at];
    job_id := claimed[at];
    found_in_text := null;
    begin
      select * into this from job j where j.subject_key = key and j.id = job_id and j.status = 'running' and j.worker = pg_backend_pid();
      if found then
        perform _job_in_project(this.project_id);
        if this.extraction is null then
          found_in_text := _job_extract(this);
        end if;
        texts := texts || case this.kind when 'embed' then _texts_lacking(key) else _texts_new(key, found_in_text) end;
      end if;
    exception when others then
      found_in_text := null;
    end;
    return next;
  end loop;
  begin
    perform _encode_ahead(texts);
  exception when others then
    null;
  end;
end
$$;

-- Runs a claimed job in a subtransaction and records what became of it. A job that is not through goes back to the queue,
-- behind the subjects whose turn it is.
create function _job_run(key uuid, claimed uuid, found_in_text jsonb default null) returns text
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
  outcome jsonb;
  message text;
  detail text;
begin
  select * into this from job j where j.subject_key = key and j.id = claimed and j.status = 'running' and j.worker = pg_backend_pid();
  if not found then
    return 'gone';
  end if;
  perform _job_in_project(this.project_id);
  begin
    -- Reading a long text takes a second: it is done before anything is locked.
    found_in_text := coalesce(this.extraction, found_in_text, _job_extract(this));
    -- The subject before the job, as every writer and the erasure take them: the other way round they could deadlock.
    perform from subject s where s.subject_key = key for update;
    select * into this from job j
    where j.subject_key = key and j.id = claimed and j.status = 'running' and j.worker = pg_backend_pid() for update;
    if not found then
      return 'gone';
    end if;
    outcome := case this.kind
      when 'learn' then _apply_next(this, found_in_text, 'chat')
      when 'document' then _document_process(this, found_in_text)
      when 'embed' then _embed_some(key, this.result)
      when 'summary' then _summary_apply(this)
    end;
    this.status := case when (outcome ->> 'more')::boolean then 'queued' else 'done' end;
    update job j
    set status = this.status, result = outcome - 'more', error = null, locked_until = null, worker = null,
        deaths = case this.status when 'queued' then 0 else j.deaths end,
        payload = case this.status when 'queued' then j.payload end,
        extraction = case when this.status = 'queued' and this.kind <> 'embed' then coalesce(j.extraction, found_in_text) end,
        applied = case this.status when 'queued' then j.applied + _apply_batch() else 0 end,
        attempts = case this.status when 'queued' then 0 else j.attempts end, run_after = clock_timestamp(),
        turn = case this.status when 'queued' then greatest(j.turn, (select last_value from job_turn)) + 1 else j.turn end,
        finished_at = case this.status when 'done' then clock_timestamp() end
    where j.subject_key = key and j.id = claimed;
    return this.status;
  exception when others then
    get stacked diagnostics message = message_text, detail = pg_exception_detail;
    perform from subject s where s.subject_key = key for update;
    update job j
    set status = case when j.attempts >= j.max_attempts then 'failed' else 'queued' end,
        error = concat_ws(': ', message, nullif(detail, '')),
        run_after = clock_timestamp() + least(power(2, j.attempts), 3600) * (0.75 + random() / 2) * interval '1 second',
        finished_at = case when j.attempts >= j.max_attempts then clock_timestamp() end,
        locked_until = null, worker = null
    where j.subject_key = key and j.id = claimed and j.status = 'running' and j.worker = pg_backend_pid()
    returning j.status into this.status;
    if not found then
      return 'gone';
    end if;
    perform _job_document_status(this, case this.status when 'failed' then 'failed' else 'queued' end, message);
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
  run_before integer;
begin
  perform memory_profile._ask_nobody(), memory_profile._job_worker_begin();
  commit;
  -- What a job writes may in turn have something to ask the models.
  loop
    if memory_profile._may_ask() then
      call memory_profile._ask_models();
    end if;
    run_before := run;
    while max_jobs is null or run < max_jobs loop
      select * into claimed from memory_profile._job_claim();
      exit when claimed.job_id is null;
      commit;
      select * into claimed from memory_profile._job_read(array[claimed.key], array[claimed.job_id]);
      commit;
      perform memory_profile._job_run(claimed.key, claimed.job_id, claimed.found_in_text);
      commit;
      run := run + 1;
    end loop;
    exit when run = run_before or run >= max_jobs or not memory_profile._may_ask();
  end loop;
  perform memory_profile._job_worker_end();
  perform memory_profile._maintain();
  commit;
end
$$;
comment on procedure run_jobs(integer) is
  'Runs due jobs, at most max_jobs, each in a transaction of its own, and then expires and purges memories: for pg_cron or any client where the background worker is not preloaded';

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
  update job j set status = 'queued', attempts = 0, deaths = 0, run_after = now(), finished_at = null
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
  delete from embedding_refusal r where r.project_id = _project() and r.model_id = model;
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
  key uuid, extraction jsonb, job uuid, source text, source_document text, conversation text, inline boolean
) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  item jsonb;
  spec jsonb;
  written record;
  remembered memory[];
  fields_written text[] := '{}';
  fields_rejected text[] := '{}';
  memory_ids text[];
begin
  if extraction -> 'fields' <> '[]' and profile_schema_get() ->> 'extraction_mode' = 'auto' then
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
  remembered := _memories_write(key, array(
    select m.value || jsonb_build_object('source_type', source, 'job_id', job,
                                         'conversation_id', coalesce(m.value ->> 'conversation_id', conversation))
    from jsonb_array_elements(extraction -> 'memories') with ordinality m
    order by m.ordinality), inline);
  -- Where what is known and surer stays, nothing was written.
  memory_ids := array(select r.id from unnest(remembered) with ordinality r where r.id is not null order by r.ordinality);
  if source_document is not null then
    insert into memory_source (subject_key, memory_id, document_id, project_id)
    select key, r.id, source_document, r.project_id from unnest(remembered) r where r.id is not null
    on conflict do nothing;
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

-- Gives vectors to a batch of texts; counts go on from the run before, and more says whether there are others left.
create function _embed_some(key uuid, earlier jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model constant smallint := _embedding_model_id();
  memories integer := _embed_memories(key, _embed_batch());
  chunks integer := case when memories < _embed_batch() then _embed_chunks(key, _embed_chunk_batch()) else 0 end;
  more constant boolean := memories >= _embed_batch() or chunks >= _embed_chunk_batch();
begin
  -- The codes of a model of another dimension do not fit where the former ones are.
  if not more then
    if exists (select from memory_signature s where s.subject_key = key and _signatures_lack(s.signatures, model)) then
      perform _memories_sign(key, model);
    else
      perform _memories_digest_coded(key, model);
    end if;
    perform _document_sign(d, model)
    from document d
    where d.subject_key = key
      and exists (select from chunk_signature s
                  where s.subject_key = key and s.document_id = d.id and _signatures_lack(s.signatures, model));
  end if;
  update document d set status = 'done' where d.subject_key = key and d.status = 'embedding' and not _awaits_embedding(d);
  -- What was written after the remote model had been asked about all there was.
  if _embeds_remotely() and exists (select from _embed_lacking(key, model, 1)) then
    perform _job_enqueue(key, 'embed', null);
  end if;
  return coalesce(earlier, '{}') || jsonb_build_object(
    'memories', memories + coalesce((earlier ->> 'memories')::integer, 0),
    'chunks', chunks + coalesce((earlier ->> 'chunks')::integer, 0),
    'more', more);
end
$$;

-- What is found in the text of a job, by the model if it has read it; NULL for a job without a text. Reads, and locks nothing.
create function _job_extract(this job) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  source document;
begin
  if this.kind = 'learn' then
    return _extraction(this.subject_key, this.id, this.payload, this.input_type, this.created_at, this.id::text);
  elsif this.kind = 'document' then
    select * into source from document d where d.subject_key = this.subject_key and d.id = this.document_id;
    if source.id is not null and source.processed_sha256 is distinct from _document_digest(source) then
      return case when source.task_type = 'memory' then
          _extraction(this.subject_key, this.id, _document_text(source), source.type, coalesce(source.document_date, source.created_at))
        else '{"fields": [], "memories": []}' end
        || jsonb_build_object('digest', encode(_document_digest(source), 'hex'));
    end if;
  end if;
  return null;
end
$$;

-- Of what was found in a text, the statements that are to be encoded: not what is known already, and nothing where there is
-- so much that it is done later.
create function _texts_new(key uuid, extraction jsonb) returns text[]
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  if jsonb_array_length(extraction -> 'memories') <= (project_setting('inline_embedding_limit') #>> '{}')::integer then
    return array(
      select t.content
      from jsonb_array_elements(extraction -> 'memories') found
      cross join lateral (select found.value ->> 'content' as content, md5(found.value ->> 'content') as checksum offset 0) t
      where t.content <> ''
        and (select m.id from memory m
             where m.subject_key = key and md5(m.content) collate "C" = t.checksum and m.superseded_at is null
             limit 1) is null);
  end if;
  return '{}';
end
$$;

-- The texts that the next run of an embed job gives vectors to.
create function _texts_lacking(key uuid) returns text[]
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return array(
    select l.content
    from (select t.content, t.is_chunk, row_number() over (partition by t.is_chunk) as place
          from _embed_lacking(key, _embedding_model_id(), _embed_batch()) t) l
    where not l.is_chunk or l.place <= _embed_chunk_batch());
end
$$;

-- Applies the next memories of an extraction, with the first of them the fields as well, and adds what became of them to
-- the job's result; more says whether there are others left. Where there are many, their vectors are made later.
create function _apply_next(this job, extraction jsonb, source_type text, source_document text default null, conversation text default null)
returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  memories constant jsonb := extraction -> 'memories';
  inline constant boolean := jsonb_array_length(memories) <= (project_setting('inline_embedding_limit') #>> '{}')::integer;
  more constant boolean := jsonb_array_length(memories) > this.applied + _apply_batch();
  part jsonb := extraction;
  outcome jsonb;
begin
  if more or this.applied > 0 then
    part := extraction || jsonb_build_object(
      'fields', case this.applied when 0 then extraction -> 'fields' else '[]' end,
      'memories', (select coalesce(jsonb_agg(m.value order by m.ordinality), '[]') from jsonb_array_elements(memories) with ordinality m
                   where m.ordinality > this.applied and m.ordinality <= this.applied + _apply_batch()));
  end if;
  outcome := _apply_extraction(this.subject_key, part, this.id, source_type, source_document, conversation, inline);
  if not inline and not more then
    perform _embed_later(this.subject_key);
  end if;
  return coalesce(this.result, '{}') || outcome || jsonb_build_object(
    'fields', coalesce(this.result -> 'fields', '[]') || (outcome -> 'fields'),
    'rejected', coalesce(this.result -> 'rejected', '[]') || (outcome -> 'rejected'),
    'memories', coalesce(this.result -> 'memories', '[]') || (outcome -> 'memories'),
    'more', more);
end
$$;

create function _document_process(this job, extraction jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := this.subject_key;
  at_once constant integer := (project_setting('inline_embedding_limit') #>> '{}')::integer;
  this_document document;
  outcome jsonb;
begin
  select * into this_document from document d where d.subject_key = key and d.id = this.document_id for update;
  if not found then
    return coalesce(this.result, '{}') || jsonb_build_object('notes', jsonb_build_array('the document was deleted before it was processed'));
  elsif extraction is null then
    update document d set status = case when _awaits_embedding(d) then 'embedding' else 'done' end, error = null
    where d.subject_key = key and d.id = this_document.id and d.status in ('queued', 'extracting');
    return jsonb_build_object('notes', jsonb_build_array('nothing has changed since the document was last processed'));
  elsif extraction ->> 'digest' <> encode(_document_digest(this_document), 'hex') then
    -- Whoever changed it has queued a job.
    return coalesce(this.result, '{}') || jsonb_build_object('notes', jsonb_build_array('the document was changed before it was processed'));
  end if;
  if this.applied = 0 then
    this.result := jsonb_build_object('chunks', _document_chunk(key, this_document));
  end if;
  outcome := this.result;
  if this_document.task_type = 'memory' then
    outcome := _apply_next(this, extraction, 'document', this_document.id, case this_document.type when 'conversation' then this_document.custom_id end);
    if (outcome ->> 'more')::boolean then
      return outcome;
    end if;
    perform _forget_unsupported(key, this_document.id,
      array(select jsonb_array_elements_text(outcome -> 'memories')), this.id, 'source document changed');
  end if;
  if _embed_chunks(key, at_once) >= at_once or _embeds_remotely() then
    perform _embed_later(key);
  end if;
  update document d
  set status = case when _awaits_embedding(d) then 'embedding' else 'done' end, error = null, updated_at = now(),
      processed_sha256 = _document_digest(this_document),
      title = coalesce(d.title, _document_title(d.content)), summary = _document_summary(d.content)
  where d.subject_key = key and d.id = this_document.id;
  return outcome;
end
$$;
