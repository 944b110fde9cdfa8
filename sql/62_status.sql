-- What can be seen of the learning: of the queue, of a subject, of a document.

create function job_status()
returns table (kind text, status text, jobs bigint, oldest timestamptz, age interval, retried bigint, last_minute bigint, last_error text)
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return query
  with work as (
    select j.kind, j.status, j.created_at, j.finished_at, j.attempts > 1 or j.deaths > 0 as again, j.error
    from job j where j.project_id = _project()
    union all
    select 'webhook', d.status, d.created_at, d.finished_at, d.attempts > 1, d.error
    from webhook_delivery d where d.project_id = _project()
  )
  select w.kind, w.status, count(*), min(w.created_at),
         case when w.status not in ('done', 'delivered') then date_trunc('milliseconds', clock_timestamp() - min(w.created_at)) end,
         count(*) filter (where w.again), count(*) filter (where w.finished_at > clock_timestamp() - interval '1 minute'),
         (array_agg(w.error order by coalesce(w.finished_at, w.created_at) desc) filter (where w.error is not null))[1]
  from work w
  group by w.kind, w.status
  order by w.kind, w.status;
end
$$;
comment on function job_status() is
  'The queue of the current project by kind and status, webhooks included: how many, the oldest and its age, how many needed more than one attempt, '
  'how many ended in the last minute, and the last error';

create function profile_status(subject text) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(subject);
  counts jsonb;
  last job;
begin
  if not exists (select from subject s where s.subject_key = key) then
    return jsonb_build_object('subject_id', profile_status.subject, 'status', 'unknown');
  end if;
  select coalesce(jsonb_object_agg(c.status, c.jobs), '{}') into counts
  from (select j.status, count(*) as jobs from job j where j.subject_key = key group by j.status) c;
  select * into last from job j where j.subject_key = key and j.kind not in ('embed', 'summary') order by j.sequence desc limit 1;
  return jsonb_strip_nulls(jsonb_build_object(
    'subject_id', profile_status.subject,
    'status', (select case when bool_or(j.kind <> 'embed' and j.status = 'running') then 'extracting'
                           when bool_or(j.kind <> 'embed') then 'queued'
                           when bool_or(true) then 'embedding'
                           when last.status = 'failed' then 'failed' else 'done' end
               from job j where j.subject_key = key and j.status in ('queued', 'running') and j.kind <> 'summary'),
    'error', case when last.status in ('queued', 'running', 'failed') then last.error end,
    'jobs', counts,
    'documents', (select jsonb_object_agg(c.status, c.documents)
                  from (select d.status, count(*) as documents from document d where d.subject_key = key group by d.status) c),
    'waiting_since', (select _iso(min(j.created_at)) from job j where j.subject_key = key and j.status in ('queued', 'running') and j.kind <> 'summary'),
    'learned_at', (select _iso(max(j.finished_at)) from job j where j.subject_key = key and j.status = 'done' and j.kind not in ('embed', 'summary'))));
end
$$;
comment on function profile_status(text) is
  'How far learning is for a subject: status unknown, queued, extracting, embedding, done or failed, with the error, counts of jobs and documents, '
  'since when something waits and when something was last learned';

create function document_status(subject text, id text) returns jsonb
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := subject_key(subject);
  this document;
begin
  select * into this from document d
  where d.subject_key = key and (d.id = document_status.id or d.custom_id = document_status.id)
  order by d.id = document_status.id desc limit 1;
  if this.id is null then
    raise no_data_found using
      message = 'document not found',
      detail = format('The subject has no document with the id or custom id "%s".', document_status.id);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'id', this.id, 'custom_id', this.custom_id, 'status', this.status, 'error', this.error,
    'chunks', (select count(*) from chunk c where c.subject_key = key and c.document_id = this.id),
    'memories', (select count(*) from memory_source s join memory m on m.subject_key = key and m.id = s.memory_id
                 where s.subject_key = key and s.document_id = this.id and m.superseded_at is null and m.forgotten_at is null),
    'updated_at', _iso(this.updated_at)));
end
$$;
comment on function document_status(text, text) is
  'How far a document is, by its id or custom id: status queued, extracting, embedding, done or failed with the error, its passages and current memories';
