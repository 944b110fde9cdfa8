-- Running jobs: who claims which, how it is run, and what becomes of a job whose process did not live to finish it.

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

-- Gives back what this session has claimed and will not run.
create function _job_release() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  update job j set status = 'queued', attempts = greatest(j.attempts - 1, 0), worker = null, locked_until = null
  where j.status = 'running' and j.worker = pg_backend_pid();
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
-- Who asks for short ones is reading a long text already, and gets none that has yet to be read.
create function _job_claim(max_jobs integer default 1, short boolean default false) returns table (key uuid, job_id uuid)
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
      and (not short or j.extraction is not null or coalesce(j.payload_bytes, 0) < _long_text())
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
    perform _job_turn_advance();
  end if;
end
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
-- With aside, nothing is found at first in a long text, which is read beside what the session does; who asks again gets it.
create function _job_read(keys uuid[], claimed uuid[], aside boolean default false) returns table (key uuid, job_id uuid, found_in_text jsonb)
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
        if this.kind = 'embed' then
          found_in_text := _embed_due(key, this.result);
          texts := texts || array(select jsonb_array_elements_text(found_in_text -> 'contents'));
        elsif this.extraction is null then
          found_in_text := _job_extract(this, aside);
          texts := texts || _texts_new(key, found_in_text);
        end if;
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
      when 'embed' then _embed_some(key, this.result, found_in_text)
      when 'summary' then _summary_apply(this)
    end;
    this.status := case when (outcome ->> 'more')::boolean then 'queued' else 'done' end;
    update job j
    set status = this.status, result = outcome - 'more', error = null, locked_until = null, worker = null,
        deaths = case this.status when 'queued' then 0 else j.deaths end,
        payload = case this.status when 'queued' then j.payload end,
        extraction = case when this.status = 'queued' and this.kind <> 'embed' then coalesce(j.extraction, found_in_text) end,
        applied = case when this.status = 'queued' then j.applied + case when outcome ? 'chunking' then 0 else _apply_batch() end else 0 end,
        attempts = case this.status when 'queued' then 0 else j.attempts end, run_after = clock_timestamp(),
        -- Behind the others: which turn that is, the table says.
        turn = case this.status when 'queued' then j.turn + 1 else j.turn end,
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
