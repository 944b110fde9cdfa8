-- Models: which jobs wait for the answer of one, and what becomes of the answers. Where the endpoint of a language model is set
-- up, a job that learns waits until the model has read its text; then it runs as any other, and applies what the model found.
-- Jobs that need vectors of a remote embedding model wait in the same way, see 64_embeddings.sql.
--
-- A long text is asked about in pieces, one after the other, and goes behind the others after each: it does not hold them
-- up. A piece is claimed in one transaction, the model asked in none, and the answer kept in another, before anything is
-- learned from it: a process that dies in between has at most asked in vain.
--
-- What the model answers unusably, the built-in extractor reads instead. An endpoint that cannot be reached or asks for
-- patience is left alone for a while, by every process; that is no failure of the job. What is one, a request that ends
-- in a timeout or an error of the server, is tried again with growing pauses, until the job has failed.

create table job_answer (
  subject_key uuid not null,
  job_id uuid not null,
  project_id uuid not null,
  service text not null check (service in ('chat', 'embeddings')),
  status text not null default 'asking' check (status in ('asking', 'waiting', 'done', 'failed')),
  text_sha256 bytea,
  piece integer not null default 0,
  pieces integer,
  extraction jsonb not null default '{"fields": [], "memories": [], "notes": []}',
  attempts integer not null default 0,
  run_after timestamptz not null default now(),
  worker integer,
  locked_until timestamptz,
  primary key (subject_key, job_id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade,
  foreign key (subject_key, job_id) references job (subject_key, id) on delete cascade
);
create index job_answer_waiting on job_answer (service, run_after) where status = 'waiting';
create index job_answer_asking on job_answer (locked_until) where status = 'asking';
comment on table job_answer is 'What a model has found for a job; deleted when the job is done';
comment on column job_answer.service is 'Which endpoint is asked: that of the language model, or that of the embedding model';
comment on column job_answer.text_sha256 is 'The text that was asked about: an answer about another one is not applied';
comment on column job_answer.piece is 'How many pieces of the text have been read';
select _isolate('job_answer');

create table model_endpoint (
  id uuid primary key,
  failures integer not null default 0,
  paused_until timestamptz,
  error text,
  updated_at timestamptz not null default now()
);
comment on table model_endpoint is 'Endpoints of models that could not be reached or asked for patience, and until when they are left alone';
comment on column model_endpoint.id is 'Made from the URL, which may be a secret';

-- Which jobs wait ----------------------------------------------------------------------------------------------------------

create function _job_waits(this job) returns boolean
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return case this.kind
    when 'embed' then _embeds_remotely()
    when 'document' then _chat_endpoint() is not null
      and exists (select from document d where d.subject_key = this.subject_key and d.id = this.document_id and d.task_type = 'memory')
    else _chat_endpoint() is not null end;
end
$$;

-- Decides whether a job that enters the queue waits for the model; what a job that is done was told is forgotten, and a
-- failed one that is queued again asks again, unless it has been answered.
create function _job_answer_follow() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if new.status = 'queued' then
    update job_answer a set status = 'waiting', attempts = 0, run_after = now()
    where a.subject_key = new.subject_key and a.job_id = new.id and a.status = 'failed';
    if tg_op = 'UPDATE' and new.kind = 'embed' then
      delete from embedding_refusal r where r.subject_key = new.subject_key;
    end if;
    new.waits := _job_waits(new)
      and not exists (select from job_answer a where a.subject_key = new.subject_key and a.job_id = new.id and a.status = 'done');
  else
    delete from job_answer a where a.subject_key = new.subject_key and a.job_id = new.id;
  end if;
  return new;
end
$$;

create trigger job_waits before insert on job
  for each row when (new.status = 'queued') execute function _job_answer_follow();
create trigger job_answered before update of status on job
  for each row when (new.status = 'done' or old.status = 'failed' and new.status = 'queued')
  execute function _job_answer_follow();

-- Where there is no endpoint any more, nobody waits for it.
create function _ask_nobody() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  nobody constant boolean[] := array_remove(array[case when _chat_endpoint() is null then false end,
                                                  case when not _embeds_remotely() then true end], null);
begin
  if nobody <> '{}' then
    update job j set waits = false
    where (j.subject_key, j.id) in (select o.subject_key, o.id from job o
                                    where o.waits and o.status = 'queued' and (o.kind = 'embed') = any (nobody) for update skip locked);
  end if;
end
$$;

-- Asking: what the background worker and CALL run_jobs() call ---------------------------------------------------------------

-- Whether the current role may have an endpoint called.
create function _may_ask() returns boolean
language sql stable
as $$
  select (memory_profile._chat_endpoint() is not null or memory_profile._embeds_remotely())
    and has_function_privilege('memory_profile._ask_models()', 'execute')
$$;

create procedure _ask_models()
  as 'MODULE_PATHNAME', '_ask_models_wrapper' language c;

-- Gives back what this process has claimed and not recorded; what an interrupted one of the same number has, too.
create function _ask_release() returns void
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  update job_answer set status = 'waiting', attempts = greatest(attempts - 1, 0), worker = null, locked_until = null
  where status = 'asking' and worker = pg_backend_pid()
$$;

-- Has the functions below work in a job's project.
create function _ask_in_project(project uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if current_project() is distinct from project then
    perform set_config('memory_profile.project', project::text, true);
  end if;
end
$$;

-- Claims jobs that are to be asked about now at an endpoint. One that has failed is asked one thing at a time until it answers.
-- Nothing here waits for a lock.
create function _ask_due(endpoint_id uuid, wanted_service text, max_count integer, time_limit interval) returns setof job
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  endpoint model_endpoint;
  this job;
begin
  -- What a process was asking about that did not live to hear the answer. If that happens again and again, it has died of it.
  with left_behind as (
    update job_answer a set status = case when a.attempts >= 10 then 'failed' else 'waiting' end, worker = null, locked_until = null
    where a.status = 'asking' and a.service = wanted_service
      and (a.locked_until < clock_timestamp() or not exists (select from pg_stat_activity s where s.pid = a.worker))
    returning a.*
  )
  update job j set status = 'failed', error = 'the worker ended before the model had answered', finished_at = clock_timestamp()
  from left_behind l
  where l.status = 'failed' and j.subject_key = l.subject_key and j.id = l.job_id;
  select * into endpoint from model_endpoint e where e.id = endpoint_id;
  if endpoint.paused_until > clock_timestamp() then
    return;
  elsif endpoint.failures > 0 then
    max_count := greatest(1 - (select count(*) from job_answer a where a.status = 'asking' and a.service = wanted_service), 0);
  end if;
  for this in
    with due as (
      (select a.subject_key, a.job_id, a.run_after
       from job_answer a
       where a.status = 'waiting' and a.service = wanted_service and a.run_after <= clock_timestamp()
       order by a.run_after
       limit max_count)
      union all
      (select j.subject_key, j.id, j.run_after
       from job j
       where j.status = 'queued' and j.waits and (j.kind = 'embed') = (wanted_service = 'embeddings') and j.run_after <= clock_timestamp()
         and not exists (select from job_answer a where a.subject_key = j.subject_key and a.job_id = j.id)
       order by j.run_after, j.sequence
       limit max_count)
    )
    select j.*
    from due
    join job j on j.subject_key = due.subject_key and j.id = due.job_id
    join subject s on s.subject_key = due.subject_key
    where j.status = 'queued' and j.waits
    order by due.run_after, j.sequence
    limit max_count
    for no key update of j skip locked
    for key share of s skip locked
  loop
    perform _ask_in_project(this.project_id);
    insert into job_answer as a (subject_key, job_id, project_id, service, attempts, worker, locked_until)
    values (this.subject_key, this.id, this.project_id, wanted_service, 1, pg_backend_pid(), clock_timestamp() + time_limit + interval '1 minute')
    on conflict on constraint job_answer_pkey do update
    set status = 'asking', attempts = a.attempts + 1, worker = excluded.worker, locked_until = excluded.locked_until;
    return next this;
  end loop;
end
$$;

-- A job that is claimed, and of which there turns out to be nothing to ask: it runs without.
create function _ask_nothing(key uuid, asked uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  delete from job_answer a where a.subject_key = key and a.job_id = asked;
  update job j set waits = false, run_after = clock_timestamp() where j.subject_key = key and j.id = asked;
end
$$;

-- Claims the jobs that the language model is to be asked about now, with what the request is made from: facts for a summary,
-- else a text.
create function _ask_claim(max_count integer, time_limit interval)
returns table (subject_key uuid, job_id uuid, piece integer, data text, input_type text, moment timestamptz,
               fields jsonb, subject_names text[], instructions text[], facts text[], language text, zone text, utc_offset integer)
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
  source document;
  digest bytea;
begin
  for this in select * from _ask_due(_chat_endpoint(), 'chat', max_count, time_limit) loop
    perform _ask_in_project(this.project_id);
    subject_key := this.subject_key;
    job_id := this.id;
    piece := 0;
    data := this.payload;
    input_type := this.input_type;
    moment := this.created_at;
    utc_offset := null;
    fields := null;
    instructions := null;
    facts := null;
    subject_names := _subject_names(this.subject_key);
    zone := _subject_zone(this.subject_key);
    language := project_setting('language') #>> '{}';
    if this.kind = 'summary' then
      facts := _summary_ask(this);
      moment := clock_timestamp();
      if facts is null then
        perform _ask_nothing(this.subject_key, this.id);
      else
        return next;
      end if;
      continue;
    elsif this.kind = 'document' then
      select * into source from document d where d.subject_key = this.subject_key and d.id = this.document_id;
      data := _document_text(source);
      input_type := source.type;
      moment := coalesce(source.document_date, source.created_at);
      utc_offset := source.utc_offset;
    end if;
    if data is null then
      perform _ask_nothing(this.subject_key, this.id);
      continue;
    end if;
    digest := sha256(convert_to(data, 'UTF8'));
    update job_answer a
    set text_sha256 = digest,
        piece = case when a.text_sha256 = digest then a.piece else 0 end,
        extraction = case when a.text_sha256 = digest then a.extraction else '{"fields": [], "memories": [], "notes": []}' end
    where a.subject_key = this.subject_key and a.job_id = this.id
    returning a.piece into piece;
    fields := profile_schema_get() -> 'fields';
    instructions := array[project_setting('extraction_instructions') #>> '{}',
                          (select s.entity_context from subject s where s.subject_key = this.subject_key)];
    return next;
  end loop;
end
$$;

-- An endpoint answers again.
create function _endpoint_answered(endpoint uuid) returns void
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  update model_endpoint e set failures = 0, paused_until = null, error = null, updated_at = clock_timestamp()
  where e.id = endpoint and e.failures > 0
$$;

-- Keeps what was found in a piece. With the last one the job is ready to be run.
create function _ask_answered(key uuid, asked uuid, endpoint uuid, pieces integer, reading jsonb) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job_answer;
begin
  perform _endpoint_answered(endpoint);
  perform from job j where j.subject_key = key and j.id = asked for no key update;
  update job_answer a
  set piece = a.piece + 1, pieces = _ask_answered.pieces, attempts = 0, run_after = clock_timestamp(), worker = null, locked_until = null,
      status = case when a.piece + 1 >= _ask_answered.pieces then 'done' else 'waiting' end,
      extraction = jsonb_build_object(
        'fields', (a.extraction -> 'fields') || (reading -> 'fields'),
        'memories', (a.extraction -> 'memories') || (reading -> 'memories'),
        'notes', (a.extraction -> 'notes') || (reading -> 'notes'),
        'model', reading -> 'model',
        'tokens', jsonb_build_object(
          'prompt', coalesce((a.extraction #>> '{tokens,prompt}')::bigint, 0) + (reading #>> '{tokens,prompt}')::bigint,
          'completion', coalesce((a.extraction #>> '{tokens,completion}')::bigint, 0) + (reading #>> '{tokens,completion}')::bigint))
        || jsonb_strip_nulls(jsonb_build_object('summary', reading -> 'summary', 'memory_ids', a.extraction -> 'memory_ids'))
  where a.subject_key = key and a.job_id = asked and a.status = 'asking' and a.worker = pg_backend_pid()
  returning * into this;
  if this.status = 'done' then
    update job j set waits = false, attempts = 0, error = null, run_after = clock_timestamp() where j.subject_key = key and j.id = asked;
  end if;
end
$$;

-- Records that a request failed. If that is the job's fault, it counts among its attempts; if the endpoint's, the endpoint
-- is left alone: at once when it could not be reached or asks for it, else from the third time in a row.
create function _ask_failed(
  key uuid, asked uuid, endpoint uuid, cause text, counts boolean, at_once boolean, retry_after double precision
) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  this job;
  answer job_answer;
begin
  insert into model_endpoint as e (id) values (endpoint) on conflict (id) do nothing;
  update model_endpoint e
  set failures = f.failures, error = cause, updated_at = clock_timestamp(),
      paused_until = greatest(e.paused_until, clock_timestamp() + case
        when retry_after is not null then least(retry_after, 3600)
        when at_once then least(power(2, f.failures), 60)
        when f.failures >= 3 then least(power(2, f.failures - 3), 60)
        else 0 end * (1 + random() / 10) * interval '1 second')
  from (select o.failures + case when o.paused_until > clock_timestamp() then 0 else 1 end as failures
        from model_endpoint o where o.id = endpoint for update) f
  where e.id = endpoint;

  -- The subject before the job, and the job before its answer, as everybody takes them.
  perform from subject s where s.subject_key = key for update;
  select * into this from job j where j.subject_key = key and j.id = asked for update;
  update job_answer a
  set status = case when counts and a.attempts >= this.max_attempts then 'failed' else 'waiting' end,
      attempts = case when counts then a.attempts else greatest(a.attempts - 1, 0) end,
      run_after = clock_timestamp() + case when counts then least(power(2, a.attempts), 3600) else 1 end * (0.75 + random() / 2) * interval '1 second',
      worker = null, locked_until = null
  where a.subject_key = key and a.job_id = asked and a.status = 'asking' and a.worker = pg_backend_pid()
  returning * into answer;
  if not found then
    return;
  end if;
  update job j
  set error = cause, attempts = answer.attempts,
      status = case answer.status when 'failed' then 'failed' else j.status end,
      finished_at = case answer.status when 'failed' then clock_timestamp() end
  where j.subject_key = key and j.id = asked;
  perform _job_document_status(this, case answer.status when 'failed' then 'failed' else 'queued' end, cause);
end
$$;

-- Applying -----------------------------------------------------------------------------------------------------------------

-- What was found in the text of a job: by the model, if it was asked about this very text, else by the built-in extractor.
-- NULL while that one is reading a long text aside.
create function _extraction(
  key uuid, job uuid, data text, input_type text, moment timestamptz, conversation text default null, aside boolean default false,
  utc_offset integer default null
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  language constant text := project_setting('language') #>> '{}';
  turns constant text[] := _turns(data, input_type, language);
  answer job_answer;
begin
  select * into answer from job_answer a where a.subject_key = key and a.job_id = _extraction.job and a.status = 'done';
  if answer.text_sha256 = sha256(convert_to(data, 'UTF8')) then
    return _with_turns(answer.extraction, turns, conversation);
  end if;
  return _with_turns(_extract(data, input_type, moment, profile_schema_get() -> 'fields', _subject_names(key), language,
                              _subject_zone(key), aside, utc_offset), turns, conversation);
end
$$;

-- An extraction whose memories bring along where they were said: in which conversation, if their turn names none, and which
-- words are in their turn and in the one before, which often asks what they answer. Words are known by their hashes, as in
-- signatures; a turn of very many words is no talk, and lends none.
create function _with_turns(extraction jsonb, turns text[], conversation text) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  config regconfig;
  words jsonb;
begin
  if extraction is null or cardinality(turns) = 0 then
    return extraction;
  end if;
  config := project_setting('text_search_config') #>> '{}';
  select jsonb_agg(case when cardinality(l.lexemes) <= 64 then to_jsonb(_terms(l.lexemes)) else '[]' end order by t.place)
  into words
  from unnest(turns) with ordinality t (said, place)
  cross join lateral tsvector_to_array(to_tsvector(config, t.said)) l (lexemes);
  return extraction || jsonb_build_object('memories', (
    select coalesce(jsonb_agg(m.value || case when s.turn is null then '{}' else jsonb_build_object(
             'conversation_id', coalesce(m.value ->> 'conversation_id', conversation),
             'heard', (words -> s.turn) || case when s.turn > 0 then words -> (s.turn - 1) else '[]' end) end order by m.ordinality), '[]')
    from jsonb_array_elements(extraction -> 'memories') with ordinality m
    cross join lateral (select (m.value ->> 'turn')::integer as turn) s));
end
$$;

create function model_status(
  out configured boolean, out waiting bigint, out asking bigint, out failures integer, out paused_until timestamptz, out error text)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  configured := _chat_endpoint() is not null;
  select count(*) into waiting from job j where j.project_id = _project() and j.status = 'queued' and j.waits and j.kind <> 'embed';
  select count(*) into asking from job_answer a where a.project_id = _project() and a.status = 'asking' and a.service = 'chat';
  select e.failures, e.paused_until, e.error into failures, paused_until, error from model_endpoint e where e.id = _chat_endpoint();
  failures := coalesce(failures, 0);
end
$$;
comment on function model_status() is
  'The language model: whether one is set up, how many jobs of the project wait for it and how many it is being asked about, '
  'how often in a row it failed, until when it is left alone, and why';
