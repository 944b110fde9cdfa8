-- The remote embedding model: texts get their vectors from it after commit, as jobs of kind embed that wait for it.
--
-- What a request brings is stored at once, under the lock of the subject as every writer takes it. A job goes on until no text
-- of its subject lacks a vector; then it runs as any other, and puts the signatures in order. A text that the endpoint will
-- not take is noted as such and left out from then on.

-- Claims jobs with texts for so many requests of so many texts. A job that has failed gets requests of its own, of a quarter as
-- many texts with every attempt; portion says of how many.
create function _embed_claim(max_requests integer, max_texts integer, time_limit interval)
returns table (subject_key uuid, job_id uuid, portion integer, ids text[], are_chunks boolean[], digests text[], contents text[])
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  room integer := least(max_requests::bigint * max_texts, 10000);
  claimed integer := 1;
  model smallint;
  this job;
begin
  -- Under a name that stands for other vectors, writers are told so, and jobs wait.
  if exists (select from _embedding_model() e join embedding_model m using (name) where m.dimension <> e.dimension or m.sha256 is not null) then
    return;
  end if;
  model := _embedding_model_id();
  -- A few jobs at a time: one may have texts for all the room there is.
  while room > 0 and claimed > 0 loop
    claimed := 0;
    for this in select * from _ask_due(_embeddings_endpoint(), 'embeddings', least(room, 16), time_limit) loop
      claimed := claimed + 1;
      perform _ask_in_project(this.project_id);
      subject_key := this.subject_key;
      job_id := this.id;
      select case when a.attempts > 1 then greatest(max_texts / power(4, least(a.attempts - 1, 10))::integer, 1) end
      into portion
      from job_answer a where a.subject_key = this.subject_key and a.job_id = this.id;
      select array_agg(l.id), array_agg(l.is_chunk), array_agg(l.digest), array_agg(l.content)
      into ids, are_chunks, digests, contents
      from _texts_lacking(this.subject_key, model, least(room, coalesce(portion * max_requests, room))) l;
      if ids is not null then
        room := room - cardinality(ids);
        return next;
      elsif room > 0 then
        perform _embed_through(this.subject_key, this.id);
      else
        perform _embed_asked(this.subject_key, this.id);
      end if;
    end loop;
  end loop;
end
$$;

-- Stores the vectors of some texts of a subject: packed, in the order of the ids. What has changed or gone meanwhile is left out.
create function _embed_answered(
  key uuid, asked uuid, endpoint uuid, ids text[], are_chunks boolean[], digests text[], packed bytea, tokens bigint
) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  model embedding_model;
  this subject;
  memories integer;
  chunks integer;
begin
  perform _endpoint_answered(endpoint);
  select * into this from subject s where s.subject_key = key for update;
  if not found then
    return;
  end if;
  perform _ask_in_project(this.project_id);
  select * into model from embedding_model m where m.id = _embedding_model_id();
  select k.memories, k.chunks into memories, chunks
  from (select array_agg(v.code order by v.place) as codes, array_agg(v.embedding::halfvec order by v.place) as vectors
        from _unpack_embeddings(packed, model.dimension) v) given
  cross join lateral _vectors_keep(
    key, model.id, ids, are_chunks, digests, given.codes, given.vectors, array_fill(''::bytea, array[cardinality(ids)])) k;
  perform _embed_count(key, asked, jsonb_build_object('memories', memories, 'chunks', chunks, 'tokens', tokens));
end
$$;

-- Adds to what a job has done so far.
create function _embed_count(key uuid, asked uuid, more jsonb) returns void
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  update job_answer a
  set extraction = (a.extraction - '{fields,memories,notes}'::text[]) || jsonb_build_object('counts',
    (select jsonb_object_agg(key, coalesce((a.extraction #>> array['counts', key])::bigint, 0) + coalesce((more ->> key)::bigint, 0))
     from unnest('{memories,chunks,refused,tokens}'::text[]) key))
  where a.subject_key = _embed_count.key and a.job_id = asked and a.status = 'asking' and a.worker = pg_backend_pid()
$$;

-- Goes on without the vector of a text.
create function _embed_given_up(key uuid, asked uuid, project uuid, text_id text, digest text, reason text) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _ask_in_project(project);
  insert into embedding_refusal as r (subject_key, model_id, text_id, project_id, digest, reason)
  values (key, _embedding_model_id(), _embed_given_up.text_id, project, _embed_given_up.digest, _embed_given_up.reason)
  on conflict on constraint embedding_refusal_pkey do update set digest = excluded.digest, reason = excluded.reason, created_at = now();
  perform _embed_count(key, asked, '{"refused": 1}');
end
$$;

-- Notes that the endpoint will not take a text, whatever it is asked about with.
create function _embed_refused(key uuid, asked uuid, endpoint uuid, text_id text, digest text, reason text) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project uuid;
begin
  perform _endpoint_answered(endpoint);
  select s.project_id into project from subject s where s.subject_key = key for key share;
  if found then
    perform _embed_given_up(key, asked, project, text_id, digest, reason);
  end if;
end
$$;

-- Notes that a request of this one text failed, if it is the last time that it is tried: the text is believed to be the cause.
create function _embed_blamed(key uuid, asked uuid, text_id text, digest text, reason text) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project uuid;
begin
  select j.project_id into project
  from job j join job_answer a on a.subject_key = j.subject_key and a.job_id = j.id
  where j.subject_key = key and j.id = asked and a.attempts >= j.max_attempts;
  if found then
    perform _embed_given_up(key, asked, project, text_id, digest, reason);
  end if;
end
$$;

-- Records that some or all of a job's requests failed. When it is tried for the last time and some of them did not, the texts
-- of the others are to blame, and it goes on without them.
create function _embed_failed(
  key uuid, asked uuid, endpoint uuid, cause text, counts boolean, at_once boolean, retry_after double precision, partly boolean
) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  if counts and partly and exists (
    select from job j join job_answer a on a.subject_key = j.subject_key and a.job_id = j.id
    where j.subject_key = key and j.id = asked and a.attempts >= j.max_attempts)
  then
    perform _embed_asked(key, asked);
  else
    perform _ask_failed(key, asked, endpoint, cause, counts, at_once, retry_after);
  end if;
end
$$;

-- A job whose requests are all answered goes behind the others: what is left of its texts is asked about when its turn comes.
create function _embed_asked(key uuid, asked uuid) returns void
language sql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
  update job_answer a set status = 'waiting', attempts = 0, run_after = clock_timestamp(), worker = null, locked_until = null
  where a.subject_key = key and a.job_id = asked and a.status = 'asking' and a.worker = pg_backend_pid()
$$;

-- A job none of whose texts lacks a vector any more runs as any other.
create function _embed_through(key uuid, asked uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  answer job_answer;
begin
  update job_answer a set status = 'done', worker = null, locked_until = null
  where a.subject_key = key and a.job_id = asked
  returning * into answer;
  update job j
  set waits = false, attempts = 0, error = null, run_after = clock_timestamp(),
      result = coalesce(answer.extraction -> 'counts', '{}') || jsonb_build_object('model', (select m.name from embedding_model m where m.id = _embedding_model_id()))
  where j.subject_key = key and j.id = asked;
end
$$;

create function embeddings_status(
  out model text, out dimension integer, out remote boolean, out waiting bigint, out asking bigint, out refused bigint,
  out failures integer, out paused_until timestamptz, out error text)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  known smallint;
begin
  select e.name, e.dimension into model, dimension from _embedding_model() e;
  select m.id into known from embedding_model m where m.name = model;
  remote := _embeds_remotely();
  select count(*) into waiting from job j where j.project_id = _project() and j.status = 'queued' and j.waits and j.kind = 'embed';
  select count(*) into asking from job_answer a where a.project_id = _project() and a.status = 'asking' and a.service = 'embeddings';
  select count(*) into refused from embedding_refusal r where r.project_id = _project() and r.model_id = known;
  select e.failures, e.paused_until, e.error into failures, paused_until, error from model_endpoint e where e.id = _embeddings_endpoint();
  failures := coalesce(failures, 0);
end
$$;
comment on function embeddings_status() is
  'The embedding model: its name and dimension, whether it is a remote one, and then how many jobs of the project wait for it and how many it is '
  'being asked about, how many texts it will not take, how often in a row it failed, until when it is left alone, and why';
