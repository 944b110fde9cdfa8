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

-- Records an event and tells of it. The notification holds keys and ids only: every role of the database can listen, row
-- security does not reach it, and its payload is limited to 8,000 bytes.
create function _emit(key uuid, event_type text, payload jsonb) returns void
language plpgsql
set search_path = pg_catalog, memory_profile, pg_temp
as $$
declare
  project constant uuid := _project();
  new_id bigint;
begin
  insert into event (subject_key, project_id, type, data)
  select key, project, event_type, jsonb_build_object('subject_id', s.external_id) || payload from subject s where s.subject_key = key
  returning id into new_id;
  if project_setting('notify') = 'true' then
    perform pg_notify('memory_profile', jsonb_strip_nulls(jsonb_build_object(
      'event_id', new_id, 'type', event_type, 'project_id', project, 'subject_key', key, 'memory_id', payload ->> 'memory_id'))::text);
  end if;
  perform _webhooks_enqueue(key, project, new_id, event_type);
end
$$;
