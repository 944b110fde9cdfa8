-- Summaries of profiles by the language model, where there is one.
--
-- A change of a profile queues a job, at most one for each subject, that waits some seconds for further changes and as long as
-- the project's summary_interval since the last summary; it asks nothing where the summary is made of the same facts. A summary
-- is kept with the memories that it was made from. It goes with the first of them that is forgotten, superseded or deleted, in
-- the same transaction, and until there is another one the built-in summary stands in.

create table model_summary (
  subject_key uuid primary key,
  project_id uuid not null,
  content text,
  model text not null,
  memory_ids text[] not null,
  tokens jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
comment on table model_summary is 'The summary of a profile that the language model made last; what shows it is profile_summary()';
comment on column model_summary.content is 'NULL where the model was of no use: it is asked again when the profile has changed';
comment on column model_summary.memory_ids is 'What it was made from';
select _isolate('model_summary');

-- What a summary is made from, best first, within some 2,000 tokens, and the ids in order.
create function _summary_facts(key uuid, out ids text[], out facts text[])
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  with candidate as (
    select m.id, m.content,
           row_number() over (partition by m.field_key is not null, m.is_static
                              order by case when m.is_static then m.importance end desc, m.created_at desc, m.id desc) as place,
           case when m.field_key is not null then 1 when m.is_static then 2 else 3 end as part
    from memory m
    where m.subject_key = key and m.superseded_at is null and m.forgotten_at is null and not m.aside
      and m.review_status is distinct from 'declined'
      and (m.field_key is not null or m.forget_after is null or m.forget_after > now())
  ), chosen as (
    select c.id, c.content, c.part, c.place,
           sum(octet_length(c.content)) over (order by c.part, c.place) as bytes
    from candidate c
    where c.place <= case c.part when 3 then 15 else 40 end
  )
  select array_agg(c.id order by c.id), array_agg(c.content order by c.part, c.place)
  into ids, facts
  from chosen c
  where c.bytes <= 8000;
end
$$;

-- Whether all that a summary was made from still holds.
create function _summary_holds(key uuid, ids text[]) returns boolean
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  return not exists (
    select from unnest(ids) b (id)
    where not exists (
      select from memory m
      where m.subject_key = key and m.id = b.id and m.superseded_at is null and m.forgotten_at is null
        and (m.field_key is not null or m.forget_after is null or m.forget_after > now())));
end
$$;

-- The summary by the language model, if there is one that may be shown.
create function _model_summary(key uuid) returns text
language plpgsql stable
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  known model_summary;
begin
  if _chat_endpoint() is null then
    return null;
  end if;
  select * into known from model_summary s where s.subject_key = key;
  return case when known.content <> '' and _summary_holds(key, known.memory_ids) then known.content end;
end
$$;

-- Queues a summary, unless one is queued or the project wants none. An imported summary stands as it is.
create function _summary_later(key uuid) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  pause constant integer := (project_setting('summary_interval') #>> '{}')::integer;
  made timestamptz;
  queued uuid;
begin
  if pause < 0 or exists (select from subject s where s.subject_key = key and s.summary is not null)
     or exists (select from job j where j.subject_key = key and j.status = 'queued' and j.kind = 'summary') then
    return;
  end if;
  select s.created_at into made from model_summary s where s.subject_key = key;
  queued := _job_enqueue(key, 'summary', null);
  update job j
  set run_after = greatest(clock_timestamp() + least(pause, _summary_delay()) * interval '1 second', made + pause * interval '1 second')
  where j.subject_key = key and j.id = queued;
end
$$;

-- How many seconds a summary waits for further changes: who tells one thing often tells another.
create function _summary_delay() returns integer
language sql immutable parallel safe
as $$
  select 30
$$;

-- Every change of what is known of a subject changes the time of its row, once in a transaction. The rows of a dump bring an
-- earlier time along, and change nothing.
create function _summary_follow() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _summary_later(new.subject_key);
  return null;
end
$$;
create trigger subject_summarised after insert or update of updated_at on subject
  for each row when (_chat_endpoint() is not null and new.updated_at >= now() and new.project_id = current_project()) execute function _summary_follow();

-- A summary goes with what it was made from, and the next one does not wait until its turn.
create function _summary_drop() returns trigger
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  delete from model_summary s where s.subject_key = old.subject_key and old.id = any (s.memory_ids);
  if found then
    update job j set run_after = least(j.run_after, clock_timestamp() + _summary_delay() * interval '1 second')
    where j.subject_key = old.subject_key and j.status = 'queued' and j.kind = 'summary';
  end if;
  return null;
end
$$;
create trigger memory_summary_ended after update of superseded_at, forgotten_at on memory
  for each row when (old.superseded_at is null and old.forgotten_at is null and (new.superseded_at is not null or new.forgotten_at is not null))
  execute function _summary_drop();
create trigger memory_summary_deleted after delete on memory
  for each row when (old.superseded_at is null and old.forgotten_at is null) execute function _summary_drop();

-- The facts to ask the language model about, noted with the job; NULL where the last summary was made from the same, or there
-- are none.
create function _summary_ask(this job) returns text[]
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  known record;
begin
  select * into known from _summary_facts(this.subject_key);
  if known.ids is null or exists (select from model_summary s where s.subject_key = this.subject_key and s.memory_ids = known.ids) then
    return null;
  end if;
  update job_answer a set piece = 0, extraction = jsonb_build_object('fields', '[]'::jsonb, 'memories', '[]'::jsonb, 'notes', '[]'::jsonb,
                                                                     'memory_ids', known.ids)
  where a.subject_key = this.subject_key and a.job_id = this.id;
  return known.facts;
end
$$;

-- Shows what the language model has answered from now on, if what it was told still holds.
create function _summary_apply(this job) returns jsonb
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  key constant uuid := this.subject_key;
  answer job_answer;
  ids text[];
begin
  select * into answer from job_answer a where a.subject_key = key and a.job_id = this.id and a.status = 'done';
  if not found then
    return '{"notes": ["there was nothing to sum up that was not summed up before"]}';
  end if;
  ids := array(select jsonb_array_elements_text(answer.extraction -> 'memory_ids'));
  if _summary_holds(key, ids) then
    insert into model_summary as s (subject_key, project_id, content, model, memory_ids, tokens)
    values (key, this.project_id, answer.extraction ->> 'summary', answer.extraction ->> 'model', ids, answer.extraction -> 'tokens')
    on conflict (subject_key) do update
    set content = excluded.content, model = excluded.model, memory_ids = excluded.memory_ids, tokens = excluded.tokens, created_at = excluded.created_at;
    update subject s set summary_version = s.summary_version + 1, summary_updated_at = clock_timestamp() where s.subject_key = key;
  end if;
  -- What has changed since the model was asked.
  if (select f.ids from _summary_facts(key) f) is distinct from ids then
    perform _summary_later(key);
  end if;
  return jsonb_build_object('notes', coalesce(answer.extraction -> 'notes', '[]'), 'model', answer.extraction -> 'model',
                            'tokens', answer.extraction -> 'tokens');
end
$$;
