-- What happened: an outbox. A row appears exactly if the transaction that caused it commits, and at that moment whoever
-- listens is told of it. Webhooks are fed from the same rows, see webhooks.

create table event (
  subject_key uuid not null,
  id bigint generated always as identity,
  project_id uuid not null,
  type text not null,
  data jsonb not null,
  created_at timestamptz not null default now(),
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
comment on table event is
  'Outbox: memory.created, memory.updated, memory.superseded, memory.deleted, profile.updated and profile.rejected, one row per committed change';
select _isolate('event');

-- Records events of a subject, in this order, and tells of each. The notifications hold keys and ids only: every role of the
-- database can listen, row security does not reach them, and their payload is limited to 8,000 bytes.
create function _emit_all(key uuid, types text[], payloads jsonb[]) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project constant uuid := _project();
  ids bigint[];
begin
  with recorded as (
    insert into event (subject_key, project_id, type, data)
    select key, project, e.type, jsonb_build_object('subject_id', s.external_id) || e.payload
    from subject s cross join unnest(types, payloads) with ordinality e (type, payload, place)
    where s.subject_key = key
    order by e.place
    returning id
  )
  select array_agg(id order by id) into ids from recorded;
  if project_setting('notify') = 'true' then
    perform pg_notify('memory_profile', jsonb_strip_nulls(jsonb_build_object(
      'event_id', e.id, 'type', e.type, 'project_id', project, 'subject_key', key, 'memory_id', e.payload ->> 'memory_id'))::text)
    from unnest(ids, types, payloads) e (id, type, payload);
  end if;
  perform _webhooks_enqueue(key, project, ids, types);
end
$$;

create function _emit(key uuid, event_type text, payload jsonb) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
begin
  perform _emit_all(key, array[event_type], array[payload]);
end
$$;
