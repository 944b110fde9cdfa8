-- Jobs: what is learned after commit. A job row is written in the transaction that caused it, so it exists exactly if
-- that transaction committed. Whoever runs it, the background worker or CALL run_jobs() from any client, the rules are
-- the same: one subject's jobs run in their order, several subjects' side by side and in turn, a failure is recorded and
-- tried again with growing pauses, and after max_attempts the job is left as failed for a person to see.
--
-- A job is claimed in one transaction, its text is read in the next, without any lock, and it is run in a third. Much work is
-- cut into runs of some tens of milliseconds, each a transaction: between them the subject's lock is free for other
-- writers, and other subjects have their turn. Of a document, first its chunks are written, then what it says. A background
-- worker has a long text read aside and runs short jobs meanwhile. It claims some small jobs of several subjects at once, reads
-- them all, has all of what they say encoded, and then runs one after the other: the encoder leaves nothing else in the
-- processor's caches, and so does this only once for all of them.
--
-- This file has the queue and what its users see of it; sql/60_jobs_running.sql has who claims and runs its jobs,
-- sql/60_jobs_learning.sql what becomes of texts, sql/60_jobs_embedding.sql what becomes of those that lack a vector.
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
comment on column job.payload_bytes is 'The length of the input, or of the document as it was when the job was queued';
comment on column job.waits is 'Whether a model has still to be asked: the language model, or, for vectors, the remote embedding model';
comment on column job.extraction is 'What was read from the input and is still to be written, the first "applied" memories of which are; deleted when the job is done';
comment on column job.turn is 'Its place in the fair order of all subjects'' jobs';
comment on column job.worker is 'The process that claimed it last';
comment on column job.deaths is 'How many of those that claimed it did not live to finish it, or its latest part';
select _isolate('job');

-- The turn of the job that was claimed last. A subject's first job gets this turn and each further one the next, so that
-- the queue serves subjects in turn, however many jobs one of them has.
create sequence job_turn minvalue 0 start 0;

create function _job_enqueue(
  key uuid, job_kind text, payload text, input_type text default null, document_id text default null, document_bytes integer default null
) returns uuid
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  new_id uuid;
begin
  insert into job (subject_key, project_id, kind, input_type, document_id, payload, payload_sha256, payload_bytes, turn)
  values (key, _project(), job_kind, _job_enqueue.input_type, _job_enqueue.document_id, _job_enqueue.payload,
          sha256(convert_to(_job_enqueue.payload, 'UTF8')), coalesce(octet_length(_job_enqueue.payload), document_bytes),
          greatest((select last_value from job_turn),
                   (select j.turn + 1 from job j where j.subject_key = key and j.status in ('queued', 'running') and j.kind not in ('embed', 'summary')
                    order by j.sequence desc limit 1)))
  returning id into new_id;
  return new_id;
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

create function jobs(subject text default null)
returns table (id uuid, external_id text, kind text, status text, attempts integer, error text, result jsonb,
               created_at timestamptz, run_after timestamptz, finished_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := case when subject is not null then subject_key(subject) end;
begin
  return query
  select j.id, s.external_id, j.kind, j.status, j.attempts, j.error, j.result, j.created_at, j.run_after, j.finished_at
  from job j join subject s on s.subject_key = j.subject_key
  where j.project_id = _project() and (key is null or j.subject_key = key)
  order by j.sequence;
end
$$;
comment on function jobs(text) is 'The jobs of a subject, or of the whole project, with status, attempts, error and result';

create function job_retry(subject text, id uuid) returns boolean
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(subject);
begin
  update job j set status = 'queued', attempts = 0, deaths = 0, run_after = now(), finished_at = null
  where j.subject_key = key and j.id = job_retry.id and j.status = 'failed';
  return found;
end
$$;
comment on function job_retry(text, uuid) is 'Queues a failed job again; false when there is no such failed job';
