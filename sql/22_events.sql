-- What happened: an outbox. A row appears exactly if the transaction that caused it commits, and whoever listens is told of
-- it then. Webhooks are fed from the same rows, see webhooks.
--
-- PostgreSQL lets one transaction with notifications commit at a time in the whole cluster, and while it waits for the disk,
-- so do all others. Where a background worker serves the database, a writer therefore leaves a note, and the worker tells
-- what is in the notes of all. A note is worth nothing after a crash, when no listener is connected any more: no log is
-- written of it.

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

create unlogged table notification (
  subject_key uuid not null,
  id bigint generated always as identity,
  project_id uuid not null,
  events bigint[] not null,
  primary key (subject_key, id),
  foreign key (subject_key, project_id) references subject (subject_key, project_id) on delete cascade
);
comment on table notification is 'Events that the background worker has still to tell of';
select _isolate('notification');

-- Tells of an event. The notification holds keys and ids only: every role of the database can listen, row security does not
-- reach it, and its payload is limited to 8,000 bytes.
create function _notify(project uuid, key uuid, event_id bigint, event_type text, data jsonb) returns void
language sql
as $$
  select pg_notify('memory_profile', jsonb_strip_nulls(jsonb_build_object(
    'event_id', event_id, 'type', event_type, 'project_id', project, 'subject_key', key, 'memory_id', data ->> 'memory_id'))::text)
$$;

-- Tells what is in the notes.
create function _notify_noted() returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  noted notification;
begin
  for noted in delete from notification returning * loop
    perform _notify(e.project_id, e.subject_key, e.id, e.type, e.data)
    from unnest(noted.events) told (id)
    cross join lateral (select * from event o where o.subject_key = noted.subject_key and o.id = told.id offset 0) e
    order by e.id;
  end loop;
end
$$;

-- Records events of a subject, in this order, and sees to it that whoever wants to know of them is told.
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
    if _worker_notifies() then
      insert into notification (subject_key, project_id, events) values (key, project, ids);
    else
      perform _notify(project, key, e.id, e.type, e.payload) from unnest(ids, types, payloads) e (id, type, payload);
    end if;
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
